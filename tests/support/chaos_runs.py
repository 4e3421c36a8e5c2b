"""`benchmarks.chaos` as a process of its own, as it forks drivers."""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def chaos(*arguments: str) -> dict:
    """Its figures; nothing was lost, nothing computed or logged twice."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chaos", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    damage = {key: found[key] for key in ("lost", "duplicated", "recomputed", "doubled")}
    assert damage == dict.fromkeys(damage, 0), found
    return found
