"""What follows from facts: results, windows, and what is published. Pure: no clock, no reads, no writes."""
