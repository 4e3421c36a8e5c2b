"""The environment of fault injection: a sweep in a folder, drivers as separate processes, and operations on them.

Inline drivers are forked from this process, which has imported everything, so that one costs a second and not ten.
"""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos import world
from benchmarks.chaos.audit import AuditFindings, audit
from benchmarks.chaos.driver import HELD, run_driver
from orchestrator.planning import Plan

_LIMIT_S = 120.0


@dataclass(kw_only=True)
class Arena:
    """One sweep that is run under one fault.

    Attributes:
        root: Its folder.
        database: MLflow's database.
        draw: The moments come from here.
        ray_address: Of the Ray cluster that drivers join; empty: inline drivers.
        num_models: How large the sweep is.
        num_compressions: The same.
        environment: Of Ray drivers.
        tracking: MLflow's address; default: the database itself.
        counted: Counts rows of the database that is tracked to: `select count(*) from ...`; default: of `database`.
        longest_end_s: The longest that a driver took to end after it was told to.
    """

    root: Path
    database: Path
    draw: random.Random
    num_models: int
    num_compressions: int = 2
    ray_address: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    tracking: str = ""
    counted: Callable[[str], int] | None = None
    longest_end_s: float = 0.0

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    @property
    def plan(self) -> Plan:
        """The sweep's plan."""
        return world.sweep(
            self.root, num_models=self.num_models, tracking=self._tracking, num_compressions=self.num_compressions
        )[1]

    @property
    def store(self) -> Path:
        """The folder of the store."""
        return self.root / "store"

    @property
    def _tracking(self) -> str:
        return self.tracking or f"sqlite:///{self.database}"

    def _tracking_of(self, sweep: str) -> str:
        """MLflow's address for a sweep: the other one has a database of its own, which nobody looks at."""
        if sweep == world.SWEEP:
            return self._tracking
        database = self.root / f"{sweep}.db"
        if not database.exists():
            shutil.copy(self.database, database)
        return f"sqlite:///{database}"

    def start(self, prepare: Callable[[], None] = lambda: None, sweep: str = world.SWEEP) -> int:
        """Start a driver; its process id.

        Args:
            prepare: Called in the new process before anything else; inline drivers only.
            sweep: Which of the folder's sweeps it runs.
        """
        tracking = self._tracking_of(sweep)
        if self.ray_address:
            command = [sys.executable, "-m", "benchmarks.chaos.driver", str(self.root), tracking]
            with (self.root / "driver.log").open("ab") as log:
                return subprocess.Popen(
                    [*command, "--num-models", str(self.num_models), "--sweep", sweep],
                    env={**self.environment, "RAY_ADDRESS": self.ray_address},
                    stdout=log,
                    stderr=log,
                ).pid
        pid = os.fork()
        if pid:
            return pid
        code = 70
        try:
            output = os.open(self.root / "driver.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.dup2(output, 1)
            os.dup2(output, 2)
            prepare()
            code = run_driver(
                self.root,
                tracking,
                on_ray=False,
                num_models=self.num_models,
                num_compressions=self.num_compressions,
                sweep=sweep,
            )
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    def wait(self, pid: int, limit_s: float = _LIMIT_S) -> int:
        """A driver's exit code, negative for the signal that ended it.

        Raises:
            TimeoutError: It did not end within the limit; it has been killed.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise TimeoutError(f"driver {pid} did not end within {limit_s:.0f} s: {self.root / 'driver.log'}")

    def run(self, prepare: Callable[[], None] = lambda: None) -> int:
        """Run a driver to its end."""
        return self.wait(self.start(prepare))

    def finish(self) -> AuditFindings:
        """Run drivers without a fault until one completes the sweep, and look at what came of it.

        Raises:
            RuntimeError: It never completes.
        """
        for _ in range(5):
            if self.run() == 0:
                return audit(self.root, self.plan, self.counted or self._count)
            time.sleep(0.1)
        raise RuntimeError(f"the sweep does not complete: {self.root / 'driver.log'}")

    def _count(self, what: str) -> int:
        with closing(sqlite3.connect(self.database)) as connection:
            return int(connection.execute(f"select count(*) from {what}").fetchone()[0])

    def await_progress(self, least: int) -> None:
        """Wait until the stages have noted so many lines."""
        record = self.root / "record.jsonl"
        for _ in range(6000):
            if len(world.notes(record)) >= least:
                return
            time.sleep(0.01)
        raise TimeoutError(f"no progress: {self.root / 'driver.log'}")


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


__all__ = ["HELD", "Arena", "kill"]
