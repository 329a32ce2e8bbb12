"""The log in Kafka, as a home of the log (home), with what it needs of the broker: topics, records, consumer groups, a
producer, and how long topics keep their records.
"""
