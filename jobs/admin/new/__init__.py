"""Writes the schema file and the job file of a topic from a sample of its records."""
