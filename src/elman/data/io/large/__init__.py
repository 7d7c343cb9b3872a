"""Large tables: read by Arrow in blocks where they leave no choice, and kept in files that are mapped."""
