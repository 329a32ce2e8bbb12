"""Windows are corrected where new facts have changed them, and read by analysts."""
