"""Plans sweeps, schedules their tasks, keeps the results and reports them; the `orchard` command."""
