"""From sound to the steps that a network reads: WAV files, log-mel spectra, and their scale."""
