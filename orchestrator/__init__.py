"""When and where tasks run: plan, state machine, backends, store, tracking, report, command line."""
