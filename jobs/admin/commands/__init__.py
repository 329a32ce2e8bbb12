"""The commands of `headrace`, a file each."""
