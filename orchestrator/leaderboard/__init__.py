"""The leaderboard of sweeps: their methods, ranked where their networks are equally small, as static pages.

Reads the store in `entries` and writes in `folder`; all else is pure.
"""

from orchestrator.leaderboard.boards import Board, boards_of
from orchestrator.leaderboard.entries import RankedSweep, read_sweep
from orchestrator.leaderboard.folder import write_board
from orchestrator.leaderboard.page import board_files
from orchestrator.leaderboard.terminal import Overview

__all__ = ["Board", "Overview", "RankedSweep", "board_files", "boards_of", "read_sweep", "write_board"]
