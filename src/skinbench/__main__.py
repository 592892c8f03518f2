"""`python -m skinbench`."""

from skinbench.cli import main

main()
