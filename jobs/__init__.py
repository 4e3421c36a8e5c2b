"""What is to be done: the vocabulary of sweeps, tasks and results. Light imports only."""
