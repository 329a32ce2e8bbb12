"""What data looks like: one file per topic or table, data only."""
