"""Injects faults into the real orchestrator at random moments, and audits the sweeps afterwards.

Everything is real but the stages: planner, scheduler, leases, store, journal, Ray and MLflow. The stages sleep and give
what follows from their keys, so that hundreds of sweeps take minutes, and every begin of one is written down.
"""
