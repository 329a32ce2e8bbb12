"""Versions of a result side by side: compared, switched and removed."""
