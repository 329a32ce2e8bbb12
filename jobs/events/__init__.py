"""Bytes become columns, or a reason why not; how late each record is."""
