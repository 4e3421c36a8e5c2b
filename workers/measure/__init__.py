"""Measures networks: metrics on a split, and cost (parameters, MACs, memory, latency)."""

from workers.measure.counting import count_applications, count_macs, num_parameters, size_bytes
from workers.measure.evaluation import Evaluation, evaluate, evaluate_data
from workers.measure.memory import peak_memory_bytes

__all__ = [
    "Evaluation",
    "count_applications",
    "count_macs",
    "evaluate",
    "evaluate_data",
    "num_parameters",
    "peak_memory_bytes",
    "size_bytes",
]
