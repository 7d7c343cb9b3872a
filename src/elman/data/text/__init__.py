"""Text: vocabularies and tokenizers, labelled and parallel texts, and texts cut for truncated BPTT."""
