"""One file per entry of `derived`; the file's name is the entry's name."""
