"""One attempt at a task: the way in, what it used and wrote, and what its failure means."""
