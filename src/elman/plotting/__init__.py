"""Style, palette, and the plots that need no network's insides."""
