"""Where the rows of a run fail, from their predictions and manifests alone."""

from skinbench.score.weak_spots.estimates import Settings, focus_class
from skinbench.score.weak_spots.find import Facts, find_weak_spots

__all__ = ["Facts", "Settings", "find_weak_spots", "focus_class"]
