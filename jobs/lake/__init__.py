"""Delta tables: created, written and restored (delta_tables), asked (table_queries), and the metadata of their commits,
which makes each write happen once (commits).
"""
