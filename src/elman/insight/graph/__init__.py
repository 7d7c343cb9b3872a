"""The computational graph of a small network: values forward, gradients backward, by the chain rule."""
