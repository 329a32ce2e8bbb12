"""Data goes out: Delta tables, written once however often a batch is tried."""
