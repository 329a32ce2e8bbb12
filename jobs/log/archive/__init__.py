"""The archive: a log of records in a Delta table, with Kafka's partitions and offsets."""
