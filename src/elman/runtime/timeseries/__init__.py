"""Series in time from tables and arrays: times and their steps, columns and their roles, scales and calendars."""
