"""Texts with labels, in memory or, where they are larger than that, in files that are mapped into it."""
