"""One file per entry of `pixels`; the file's name is the entry's name."""
