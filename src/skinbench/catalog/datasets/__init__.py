"""One file per entry of `datasets`; the file's name is the entry's name."""
