"""How a task is done: torch lives here, and no cluster does."""
