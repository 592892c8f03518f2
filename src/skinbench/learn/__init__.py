"""Training, inference, features and explanations in plain torch; no Ray."""
