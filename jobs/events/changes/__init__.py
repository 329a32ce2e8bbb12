"""Changes of a database's rows, as the tools that capture them write them into a topic."""
