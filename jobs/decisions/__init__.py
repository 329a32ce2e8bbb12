"""What the order of the log decides, once and for good. Pure: no clock, no reads, no writes."""
