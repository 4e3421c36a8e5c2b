"""What a network is worth and what it costs.

Knows models and data; knows nothing of how a network came about or where numbers are recorded.
"""

from workers.measure.accuracy import Scores, evaluate
from workers.measure.counting import count_macs, num_parameters, size_bytes

__all__ = ["Scores", "count_macs", "evaluate", "num_parameters", "size_bytes"]
