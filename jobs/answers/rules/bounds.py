"""What a rule may have at most. All of it is checked before a parser sees the rule."""

MOST_CHARACTERS = 10_000
"""Of the text of a rule."""
MOST_TERMS = 100
"""Comparisons, between, in, like, contains and is null in a rule."""
MOST_VALUES = 1_000
"""Literals in a rule, those of all its lists together."""
DEEPEST = 10
"""Parentheses and nots within each other. A level takes the parser up to 20 calls of the 1,000 that Python allows."""
MOST_DIGITS = 40
"""Of a number."""
MOST_WORDS = 20
"""In a phrase."""
