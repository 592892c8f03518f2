"""One file per entry of `models`; the file's name is the entry's name."""
