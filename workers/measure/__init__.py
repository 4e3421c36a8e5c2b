"""What a network is worth and what it costs.

Knows models and data; knows nothing of how a network came about or where numbers are recorded.
"""

from workers.measure.counting import count_macs, num_parameters, size_bytes
from workers.measure.evaluation import Scores, evaluate
from workers.measure.latency import Latency, measure_latency
from workers.measure.memory import peak_memory_bytes

__all__ = [
    "Latency",
    "Scores",
    "count_macs",
    "evaluate",
    "measure_latency",
    "num_parameters",
    "peak_memory_bytes",
    "size_bytes",
]
