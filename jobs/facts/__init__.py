"""What a batch appends, once: sums that can be combined in any order. Pure: no clock, no reads, no writes."""
