"""The scheduler and its policies. Pure: no clock, no disk, no cluster; times and outcomes are arguments."""
