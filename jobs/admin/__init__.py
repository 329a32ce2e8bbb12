"""The headrace command: look at and fill the log, see how far jobs are, check their numbers."""
