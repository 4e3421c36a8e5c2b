"""How commands of this environment are typed in the present folder."""

import shutil
import sys
from pathlib import Path


def typed(name: str) -> str:
    """The name of a command where the shell finds it by that, else its path, relative to the present folder if it can.

    Args:
        name: A command that this environment installs: `orchard`, `mlflow`.
    """
    installed, found = Path(sys.executable).with_name(name), shutil.which(name)
    if not installed.exists() or (found and Path(found).exists() and installed.samefile(found)):
        return name
    return str(installed.relative_to(Path.cwd()) if installed.is_relative_to(Path.cwd()) else installed)
