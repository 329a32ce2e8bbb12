"""The log of records, in one of its homes: the archive or Kafka."""
