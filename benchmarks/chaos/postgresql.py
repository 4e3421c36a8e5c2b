"""A PostgreSQL of one's own: Debian's server on a loopback port, its files in a folder, killed and started at will."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

USER, PASSWORD = "orchard", "pw-of-a-test"
_NOBODY = "postgres"
"""PostgreSQL refuses to run as root; Debian's package brings this account."""
_LIMIT_S = 60.0


class Postgres:
    """A server that is started, with an account that has a password, and files in a folder of its own.

    A context manager: killed at the end, its files removed.
    """

    def __init__(self) -> None:
        self._temporary = TemporaryDirectory(prefix="orchard-pg-", dir="/tmp")  # socket paths must stay short
        self._folder = folder = Path(self._temporary.name)
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam(_NOBODY)
            self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(folder, account.pw_uid, account.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)  # in a folder that only its account may enter
        make = [_program("initdb"), "--no-sync", "--pgdata", str(folder / "data"), "--username", USER]
        make += ["--auth", "scram-sha-256", "--pwfile", str(password), "--encoding", "UTF8", "--locale", "C.UTF-8"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder, **self._as)
        self.start()

    def __enter__(self) -> "Postgres":
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self._temporary.cleanup()

    def address(self, database: str, password: str = PASSWORD) -> str:
        """Of a database, for MLflow."""
        return f"postgresql://{USER}:{password}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start it on the files that there are, and wait until it answers."""
        deadline = time.monotonic() + _LIMIT_S
        while time.monotonic() < deadline:  # it refuses while a process of its predecessor is left
            self._process = self._started()
            while self._process.poll() is None and time.monotonic() < deadline:
                with suppress(Exception):
                    self.execute("postgres", "select 1")
                    return
                time.sleep(0.1)
            time.sleep(0.2)
        raise TimeoutError((self._folder / "log").read_text())

    def kill(self) -> None:
        """Kill -9 of all its processes."""
        if self._process.poll() is None:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            for pid in (self._process.pid, *map(int, children)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()

    def execute(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement; the rows that it gives."""
        import psycopg2

        with closing(psycopg2.connect(self.address(database), connect_timeout=5)) as connection:
            connection.autocommit = True  # as making a database needs
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []

    def _started(self) -> subprocess.Popen[bytes]:
        command = [_program("postgres"), "-D", str(self._folder / "data"), "-p", str(self._port)]
        for setting in ("listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}", "fsync=off"):
            command += ["-c", setting]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, **self._as)


def program(name: str) -> str | None:
    """Where a program of PostgreSQL is, None where it is missing: Debian keeps those of the server out of the path."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return shutil.which(name) or (str(installed[-1]) if installed else None)


def _program(name: str) -> str:
    found = program(name)
    if found is None:
        raise FileNotFoundError(f"no {name}; install PostgreSQL's server: apt-get install postgresql")
    return found
