"""The page of a folder of results: what `headrace ui` serves, without Java. It only reads."""
