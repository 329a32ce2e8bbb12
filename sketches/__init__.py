"""Summaries of streams: small, mergeable, with a known error. No Spark, no clock, no input or output."""
