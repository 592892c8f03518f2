"""One file per entry of `techniques`; the file's name is the entry's name."""
