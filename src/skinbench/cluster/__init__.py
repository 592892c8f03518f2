"""The only importer of Ray: session, trials on Tune, inference on Ray Data."""
