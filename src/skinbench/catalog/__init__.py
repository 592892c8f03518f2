"""The place to add things: one file each, found by name through the registry."""
