"""Which packages a sweep file may name: a sweep file runs the code that it names."""

import os

ALLOW_IMPORTS = "ORCHARD_ALLOW_IMPORTS"
"""Environment variable: packages and modules, separated by commas; where it is set, a sweep file may name no others."""


def import_problem(module: str) -> str | None:
    """Why a sweep file may not name a module, as text; None where it may.

    Args:
        module: For example `my_lab.networks`, or a library: `timm`.
    """
    given = os.environ.get(ALLOW_IMPORTS)
    if given is None:
        return None
    allowed = [name.strip() for name in given.split(",") if name.strip()]
    if any(module == name or module.startswith(f"{name}.") for name in allowed):
        return None
    known = ", ".join(allowed) or "none"
    return f"'{module}' may not be named here: {ALLOW_IMPORTS} allows {known}; add it there if you trust it"
