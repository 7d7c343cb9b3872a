"""A run as one C header and one C source: weights as data, no allocation, no dependency."""
