"""The log of records, in one of its homes: the archive (archive/) or Kafka (kafka/).

`home` chooses between the two. What both share: topics, offsets, the partitioner. What goes from one to the other:
kafka_to_archive copies topics, replay reads their past again, audit looks whether each record is there once.
"""
