"""The process that runs a sweep: it asks the scheduler, hands attempts to a backend, and tells observers."""
