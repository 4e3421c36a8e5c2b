"""The process that runs a sweep: it passes attempts from the scheduler to a backend, and notifies observers."""
