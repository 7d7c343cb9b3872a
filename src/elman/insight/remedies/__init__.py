"""The remedies for vanishing and exploding gradients, compared on problems of memory."""
