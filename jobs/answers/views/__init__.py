"""Answers in SQL over tables of latest rows, kept up to date for what a change touches."""
