"""Several processes that train one network together. Independent of networks, data and of how they are started."""

from workers.parallel.processes import ALONE, Processes, Share, alone, joined

__all__ = ["ALONE", "Processes", "Share", "alone", "joined"]
