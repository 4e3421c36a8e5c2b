"""The implementation of each command; `orchestrator.cli` parses the arguments."""
