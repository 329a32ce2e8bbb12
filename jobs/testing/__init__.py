"""What tests of job files use: records in, rows out. docs/testing.md shows it."""
