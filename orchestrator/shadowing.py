"""Packages of the user's that have the names of ours: a fresh process would import them in the place of ours."""

from pathlib import Path

from jobs.errors import BadInputError

_OURS = Path(__file__).parents[1]
_NAMES = ("jobs", "orchestrator", "workers")


def refuse_shadows(folder: Path) -> None:
    """Look for packages and modules that would be found before ours.

    Args:
        folder: Where Python looks first, on this machine and on every worker.

    Raises:
        BadInputError: One is there.
    """
    for name in _NAMES:
        for found in (folder / name / "__init__.py", folder / f"{name}.py"):
            ours = _OURS / found.relative_to(folder)
            if found.exists() and not (ours.exists() and ours.samefile(found)):
                raise BadInputError(
                    f"{found} has the name of Orchard's own package '{name}', and workers would import it in the place "
                    "of that; rename yours, or run from a folder that does not hold it"
                )
