"""One file per entry of `conditions`; the file's name is the entry's name."""
