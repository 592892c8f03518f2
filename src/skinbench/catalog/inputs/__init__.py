"""One file per entry of `inputs`; the file's name is the entry's name."""
