"""skinbench: benchmarks of skin-lesion classifiers that can be trusted. Not a medical device."""

__version__ = "0.1.0"
