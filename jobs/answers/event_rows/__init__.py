"""What rows of events are made of: the order of events, what lies before and after each, how their rows are checked."""
