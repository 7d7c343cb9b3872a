"""Floor 7: the faces. Thin: they parse, call, and show."""
