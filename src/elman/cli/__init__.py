"""Floor 7: the faces. Thin: they parse, call, and show."""

import time

started = time.perf_counter()
"""When the command began, as far as it can know: before its packages are imported."""
