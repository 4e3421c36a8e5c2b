"""The vocabulary of sweeps, tasks and results. Imports no heavy library."""
