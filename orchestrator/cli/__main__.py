"""`python -m orchestrator.cli`: the same as `orchard`."""

from orchestrator.cli import main

main()
