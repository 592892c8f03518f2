"""A page on loopback for trying an exported model by hand."""
