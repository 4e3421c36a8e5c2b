"""Faults against the real orchestrator, at random moments, and what became of the sweep.

Everything is real but the stages: planner, machine, leases, store, journal, Ray and MLflow. The stages sleep and give
what follows from their keys, so that hundreds of sweeps take minutes, and every begin of one is written down.
"""
