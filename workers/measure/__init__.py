"""Measures networks: metrics on a split, and cost (parameters, MACs, memory, latency)."""

from workers.measure.counting import count_macs, num_parameters, size_bytes
from workers.measure.evaluation import Evaluation, evaluate
from workers.measure.latency import Latency, measure_latency
from workers.measure.memory import peak_memory_bytes

__all__ = [
    "Evaluation",
    "Latency",
    "count_macs",
    "evaluate",
    "measure_latency",
    "num_parameters",
    "peak_memory_bytes",
    "size_bytes",
]
