"""From the files of a run folder to Markdown and HTML; never computes a score."""
