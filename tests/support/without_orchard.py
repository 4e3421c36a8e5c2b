"""Scripts run where Orchard cannot be imported: what its exports promise."""

import subprocess
import sys
import sysconfig
from pathlib import Path

_START = """
import sys
sys.path.append({packages!r})  # by hand: no .pth file of an editable installation is read
for name in ("jobs", "workers", "orchestrator"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        pass
    else:
        raise SystemExit(name + " can be imported")
sys.path.append({folder!r})
"""


def run_without_orchard(script: str, folder: Path) -> str:
    """The output of a script in a fresh process in `folder`, with the installed packages but without Orchard."""
    start = _START.format(packages=sysconfig.get_path("purelib"), folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", "-c", start + script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
