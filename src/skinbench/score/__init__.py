"""From predictions to scores with intervals; needs neither torch nor Ray."""
