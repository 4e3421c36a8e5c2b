"""One attempt at a task: its entry point, resource usage, log and the causes of failures."""
