"""A result is kept up to date: batches, ledger, recovery."""
