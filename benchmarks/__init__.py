"""Claims and their evidence: each module runs as `python -m benchmarks.NAME [--quick]` and prints JSON last."""
