"""Sound: recordings read, cut, joined and turned into log-mel frames."""
