"""A place for one checkpoint, in memory."""

from collections.abc import Callable

import pytest

from workers.checkpoints import Checkpoint


class Slot:
    """Keeps one checkpoint and counts how often it was saved. A tick of the clock is whatever the test says."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.num_saved = 0
        self.now = 0.0

    def save(self, content: bytes) -> None:
        self.content, self.num_saved = content, self.num_saved + 1

    def checkpoint(self, interval_s: float = 0.0, clock: Callable[[], float] | None = None) -> Checkpoint:
        """A new process's view of it; by default it is due at every moment."""
        return Checkpoint(
            load=lambda: self.content, save=self.save, interval_s=interval_s, clock=clock or (lambda: self.now)
        )


class Lost(BaseException):
    """The worker is gone."""


class LostAt:
    """A `should_stop` that kills instead, when it is asked for the n-th time."""

    def __init__(self, number: int) -> None:
        self.number, self.asked = number, 0

    def __call__(self) -> bool:
        self.asked += 1
        if self.asked == self.number:
            raise Lost
        return False


@pytest.fixture
def slot() -> Slot:
    return Slot()


@pytest.fixture
def lost() -> type[Lost]:
    return Lost


@pytest.fixture
def lost_at() -> type[LostAt]:
    return LostAt
