"""Labels of figures as they are written, and their places beside the ends of lines, without overlap. Pure."""

from collections.abc import Sequence

LONGEST = 34
"""Characters of a label; of longer names the middle is left out."""


def shortened(name: str) -> str:
    """A name of at most `LONGEST` characters: beginning and end."""
    if len(name) <= LONGEST:
        return name
    half = (LONGEST - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def as_written(words: str) -> str:
    """Words for matplotlib, which typesets as a formula what stands between two dollar signs."""
    return words.replace("$", r"\$")


def spread(wanted: Sequence[float], *, apart: float, low: float, high: float) -> list[float]:
    """Heights as near to those that are wanted as can be, in their order, all so far apart, within the bounds.

    Least squares: whatever is too near becomes a block around the mean of what its members want (the pool-adjacent-
    violators algorithm).

    Args:
        wanted: The heights of the lines' ends.
        apart: The least distance of two labels.
        low: The lowest height.
        high: The highest; where there is no room for all, they are closer together.

    Returns:
        A height for each, in the order of `wanted`.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    if not order:
        return []
    apart = min(apart, (high - low) / max(1, len(order) - 1))
    # Without the distances that lie between, heights may not fall: blocks of (sum of those wanted, number).
    blocks: list[tuple[float, int]] = []
    for place, index in enumerate(order):
        blocks.append((wanted[index] - place * apart, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = (blocks[-1][0] + total, blocks[-1][1] + count)
    highest = high - (len(order) - 1) * apart
    level = [min(max(total / count, low), highest) for total, count in blocks for _ in range(count)]
    found = [0.0] * len(wanted)
    for place, index in enumerate(order):
        found[index] = level[place] + place * apart
    return found
