"""Results kept up to date: each file is one result, each folder is a part that results are made of."""
