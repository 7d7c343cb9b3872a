"""The Jacobians of a recurrent layer's steps: in factors, by hand or by autograd, and the products of many."""
