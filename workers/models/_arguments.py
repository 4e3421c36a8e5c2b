"""The checks that the zoo's networks share: sizes are positive whole numbers.

Knows no network.
"""

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
