"""Answers of changes of rows: which change is the last one, which versions there were, which one was valid when."""
