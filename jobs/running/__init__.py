"""What surrounds a run: its words about progress, and about what went wrong."""
