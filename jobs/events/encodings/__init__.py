"""Values that are encoded by a schema of a registry: Avro and Protobuf, made JSON objects for the gate."""
