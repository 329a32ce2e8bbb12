"""Windows are upserted where new facts have changed them, and read by analysts."""
