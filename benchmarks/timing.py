"""Timing helpers of the benchmarks: one action, or two in alternation."""

import statistics
import time
from collections.abc import Callable

import torch


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes, the GPU's part of it included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    started = time.perf_counter()
    action()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def paired(first: Callable[[], object], second: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Median ratio of the first to the second, and median seconds of the second; which begins alternates."""
    ratios, seconds = [], []
    for number in range(repetitions):
        order = [first, second] if number % 2 else [second, first]
        taken = {action: timed(action) for action in order}
        ratios.append(taken[first] / taken[second])
        seconds.append(taken[second])
    return statistics.median(ratios), statistics.median(seconds)
