"""Files that people give to `headrace produce`: CSV and JSON lines become records."""
