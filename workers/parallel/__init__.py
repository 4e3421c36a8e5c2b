"""Several processes that train one network together. Independent of networks, data and of how they are started."""

from workers.parallel.meeting import Meeting, Place, Port, have_come, meet, open_port
from workers.parallel.processes import ALONE, Processes, Share, alone, joined

__all__ = [
    "ALONE",
    "Meeting",
    "Place",
    "Port",
    "Processes",
    "Share",
    "alone",
    "have_come",
    "joined",
    "meet",
    "open_port",
]
