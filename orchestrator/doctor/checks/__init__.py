"""Checks of collected facts, one module each. Pure: no disk, no network."""
