"""Files of every kind that a user may bring, read into plain rows, tables and arrays."""
