"""The log in Kafka: its topics, consumer groups, and records."""
