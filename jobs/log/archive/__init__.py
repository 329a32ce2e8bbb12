"""The archive, as a home of the log (home): a Delta table with Kafka's partitions and offsets.

Its facts: snapshot, data_file, marks. Read: file_reader, stream. Written: writer, file_writer, kafka_copy, transaction.
Records that leave it: retention, compaction, rewrite.
"""
