"""Writing one token after another: sampling, beam search, and the best path of CTC."""
