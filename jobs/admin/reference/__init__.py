"""Writes docs/reference.md out of the code: defaults, options, tables, and the names that are stored."""
