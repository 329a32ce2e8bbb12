"""Data flows: DataFrame in, DataFrame out; never reads, writes, starts or collects."""
