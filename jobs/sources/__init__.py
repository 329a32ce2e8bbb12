"""Data comes in: the log, in its homes."""
