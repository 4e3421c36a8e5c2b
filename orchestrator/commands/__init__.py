"""What each command does. `orchestrator.cli` parses, these work and print."""
