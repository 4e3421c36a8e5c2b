"""The leaderboard of sweeps: their methods, ranked where their networks are equally small, as static pages.

Reads the store in `entries`; all else is pure.
"""

from orchestrator.leaderboard.boards import Board, boards_of
from orchestrator.leaderboard.entries import RankedSweep, read_sweep
from orchestrator.leaderboard.page import board_files
from orchestrator.leaderboard.tables import overview_table

__all__ = ["Board", "RankedSweep", "board_files", "boards_of", "overview_table", "read_sweep"]
