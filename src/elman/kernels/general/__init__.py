"""The general recurrence: a leak, noise, resets and other activations, in a rate and a current form."""
