"""One file per entry of `augments`; the file's name is the entry's name."""
