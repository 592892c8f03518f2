"""One file per entry of `explainers`; the file's name is the entry's name."""
