"""Delta tables: how they are created, written and restored, and what their commits say."""
