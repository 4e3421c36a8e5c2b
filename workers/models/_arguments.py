"""Argument checks shared by the zoo's networks: sizes, widths, depths, choices."""

from collections.abc import Collection

from jobs.errors import BadInputError


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def check_sizes(network: str, **sizes: object) -> None:
    """Raise BadInputError naming each of `sizes` that is not a whole number of at least 1."""
    problems = [f"{name} is {value!r}" for name, value in sizes.items() if not _is_size(value)]
    if problems:
        raise BadInputError(f"network '{network}': {', '.join(problems)}; a whole number of at least 1 is needed")


def check_widths(network: str, widths: object) -> None:
    """Raise BadInputError unless `widths` lists at least one number of channels, each at least 1."""
    if not isinstance(widths, list | tuple) or not widths or not all(map(_is_size, widths)):
        raise BadInputError(
            f"network '{network}': widths is {widths!r}; "
            "a list of channels per stage is needed, for example [32, 64, 128]"
        )


def blocks_of(network: str, depth: int, *, per_block: int) -> int:
    """The blocks per stage of a network whose depth is (layers per block over all stages) x blocks + 2.

    Args:
        network: Its name.
        depth: Layers along the main path: a stem, the blocks, a linear layer.
        per_block: Layers that a further block in every stage adds.

    Raises:
        BadInputError: The depth is not a whole number of that form with at least one block.
    """
    check_sizes(network, depth=depth)
    blocks, rest = divmod(depth - 2, per_block)
    if blocks < 1 or rest:
        allowed = ", ".join(str(per_block * blocks + 2) for blocks in (1, 2, 3, 18))
        raise BadInputError(
            f"network '{network}': depth is {depth}; {per_block} x blocks + 2 is needed, for example {allowed}"
        )
    return blocks


def check_choice(network: str, name: str, value: object, allowed: Collection[object]) -> None:
    """Raise BadInputError unless the argument `name` is one of the allowed values."""
    if value not in allowed:
        raise BadInputError(
            f"network '{network}': {name} is {value!r}; one of {', '.join(map(str, allowed))} is needed"
        )
