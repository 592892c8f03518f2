"""One file per entry of `metrics`; the file's name is the entry's name."""
