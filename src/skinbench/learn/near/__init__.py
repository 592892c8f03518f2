"""The two stages of the near-duplicate search: candidates by a network, then local features."""
