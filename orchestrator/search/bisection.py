"""Bisects a range of compressions, in whole percent, for the largest one that holds a tolerance."""

import math
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """What is known so far of one method.

    It ends at a compression that holds while the next higher percent does not. Quality need not fall steadily, so there
    may be another such boundary.

    Attributes:
        holds: The largest compression that was found to hold, in whole percent; 0: none yet.
        fails: The smallest one above it that was found not to hold; at first, one above the range.
    """

    holds: int = 0
    fails: int

    @classmethod
    def up_to(cls, largest: int) -> Self:
        """The beginning: nothing is known of 1 to `largest` percent."""
        return cls(fails=largest + 1)

    @property
    def next(self) -> int | None:
        """The compression to try next; None at the end."""
        return None if self.fails - self.holds == 1 else (self.holds + self.fails) // 2

    @property
    def num_rounds(self) -> int:
        """How many more are tried at most."""
        return math.ceil(math.log2(self.fails - self.holds))

    @property
    def ended(self) -> Self:
        """The end, where no higher compression can hold."""
        return replace(self, fails=self.holds + 1)

    def told(self, *, holds: bool) -> Self:
        """What is known once the next one is measured.

        Raises:
            ValueError: It has ended.
        """
        tried = self.next
        if tried is None:
            raise ValueError(f"the bisection has ended at {self.holds} %")
        return replace(self, holds=tried) if holds else replace(self, fails=tried)
