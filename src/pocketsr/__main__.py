"""``python -m pocketsr``: the command line."""

from pocketsr.cli import main

main()
