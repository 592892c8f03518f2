"""A model that left the benchmark: reading its bundle and running it, without torch or Ray."""
