"""Public datasets, readers of people's own files, vocabularies and batches. Knows no model."""
