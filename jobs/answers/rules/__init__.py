"""Rules that users store: a small language of predicates, and which events meet them."""
