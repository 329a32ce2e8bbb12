"""The Kafka broker: how it is reached, what it says of a topic, what a consumer group has read."""
