"""Faults against a driver on a real Ray cluster: its workers, its nodes, itself.

One call is one sweep with several faults.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

from benchmarks.chaos import world
from benchmarks.chaos.arena import Arena, kill
from benchmarks.chaos.driver import TTL_S

NODES, CPUS_PER_NODE = 2, 2
_STOPPED, _NOTICED_S = 3, 30.0
"""What a driver without its cluster is to end with, and within."""
_HEAD = {
    "num_cpus": 0,
    # Nobody looks at it, is told its logs, or lets it grow.
    "include_dashboard": False,
    "include_log_monitor": False,
    "no_monitor": True,
    # A lost node is struck off after a second, not after fifteen.
    "_system_config": {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300},
}


class Field:
    """A Ray cluster of this test's own: a head that runs no tasks, and nodes that can be lost."""

    def __init__(self) -> None:
        self._cluster = Cluster(initialize_head=True, head_node_args=_HEAD)
        self._nodes = [self._add() for _ in range(NODES)]

    @property
    def address(self) -> str:
        """For RAY_ADDRESS."""
        return str(self._cluster.address)

    def lose_node(self, index: int) -> None:
        """Kill -9 of a raylet and all its workers; after a moment another node comes."""
        node = self._nodes[index]
        raylets = _raylets(node)
        workers = [pid for pid, parent, _ in _processes() if parent in raylets]
        for pid in [*raylets, *workers]:
            kill(pid)
        time.sleep(1.0)
        self._cluster.remove_node(node, allow_graceful=False)
        self._nodes[index] = self._add()

    def workers(self) -> list[int]:
        """Process ids of the workers that run tasks now."""
        raylets = {pid for node in self._nodes for pid in _raylets(node)}
        return [pid for pid, parent, command in _processes() if parent in raylets and command.startswith("ray::work")]

    def lose_head(self) -> None:
        """Kill -9 of the head's directory of all that the cluster is (GCS)."""
        head: Any = self._cluster.head_node
        for info in head.all_processes["gcs_server"]:
            kill(info.process.pid)

    def close(self) -> None:
        """End it."""
        self._cluster.shutdown()

    def _add(self) -> Any:
        return self._cluster.add_node(num_cpus=CPUS_PER_NODE, object_store_memory=80_000_000)


@contextmanager
def field() -> Iterator[Field]:
    """A cluster, ended at the end."""
    made = Field()
    try:
        yield made
    finally:
        made.close()


def workers_killed(arena: Arena, cluster: Field, count: int) -> int:
    """Kill -9 of a worker that runs a task, again and again."""
    return _while_running(arena, count, lambda: _kill_one(arena, cluster))


def nodes_killed(arena: Arena, cluster: Field, count: int) -> int:
    """Kill -9 of a node's raylet and its workers, as a spot machine goes; a new node comes after a moment."""

    def strike() -> bool:
        cluster.lose_node(arena.draw.randrange(NODES))
        return True

    return _while_running(arena, count, strike)


def driver_killed(arena: Arena, cluster: Field, count: int) -> int:
    """Kill -9 of the driver, while its tasks run on."""
    return _restarting(arena, count, signal.SIGKILL)


def driver_terminated(arena: Arena, cluster: Field, count: int) -> int:
    """SIGTERM: the driver ends within its grace, and no task of it runs on."""
    done = _restarting(arena, count, signal.SIGTERM)
    _await_rest(cluster)
    return done


def all_in_turn(arena: Arena, cluster: Field, count: int) -> int:
    """One sweep meets all of them: a worker lost, the driver told to end; the next one killed; the third loses a node.

    Counts where it met all four.
    """
    pid = _begin(arena)
    met = _strike(arena, pid, 1, lambda: _kill_one(arena, cluster))
    met += _end(arena, pid, signal.SIGTERM)
    _await_rest(cluster)
    met += driver_killed(arena, cluster, 1)
    time.sleep(TTL_S)  # so long the sweep is still its own
    met += nodes_killed(arena, cluster, 1)
    return int(met == len(RAY_FAULTS) - 1)


def workers_told_to_end(arena: Arena, cluster: Field, count: int) -> int:
    """SIGTERM to a worker that runs a task, again and again, as a spot machine's notice: each loss after progress."""
    return _while_running(arena, count, lambda: _kill_one(arena, cluster, signal.SIGTERM))


def head_killed(arena: Arena) -> int:
    """Kill -9 of the head under a driver, which ends within half a minute; 0 where its sweep was done by then."""
    with field() as cluster:
        arena.ray_address = cluster.address
        pid = arena.start()
        arena.await_progress(1)
        time.sleep(arena.draw.uniform(0.0, 2.0))
        cluster.lose_head()
        lost_s = time.monotonic()
        code = arena.wait(pid)
        arena.longest_end_s = time.monotonic() - lost_s
    if code not in (0, _STOPPED) or arena.longest_end_s > _NOTICED_S:
        raise RuntimeError(f"exit code {code} after {arena.longest_end_s:.0f} s: {arena.root / 'driver.log'}")
    return int(code == _STOPPED)


RayFault = Callable[[Arena, Field, int], int]
"""Takes a number of faults and gives the number of those that met a running sweep."""

RAY_FAULTS: dict[str, RayFault] = {
    "workers killed": workers_killed,
    "nodes killed": nodes_killed,
    "driver killed": driver_killed,
    "driver told to end (SIGTERM)": driver_terminated,
    "all of them in turn": all_in_turn,
}
PREEMPTION: dict[str, RayFault] = {"preemption with progress": workers_told_to_end}


def _while_running(arena: Arena, count: int, strike: Callable[[], bool]) -> int:
    pid = _begin(arena)
    done = _strike(arena, pid, count, strike)
    arena.wait(pid)
    return done


def _begin(arena: Arena) -> int:
    """Starts a driver and waits until a task of it runs."""
    before = len(world.notes(arena.root / "record.jsonl"))
    pid = arena.start()
    arena.await_progress(before + 1)
    return pid


def _strike(arena: Arena, pid: int, count: int, strike: Callable[[], bool]) -> int:
    done = 0
    while done < count and not _ended(pid):
        time.sleep(arena.draw.uniform(0.2, 1.5))
        if not _ended(pid):
            done += strike()
    return done


def _restarting(arena: Arena, count: int, number: signal.Signals) -> int:
    for done in range(count):
        pid = _begin(arena)
        time.sleep(arena.draw.uniform(0.0, 0.6))
        if not _end(arena, pid, number):
            return done
    return count


def _end(arena: Arena, pid: int, number: signal.Signals) -> bool:
    """Ends a driver by a signal; false where it had ended by itself."""
    if _ended(pid):
        arena.wait(pid)
        return False
    kill(pid, number)
    told_s = time.monotonic()
    code = arena.wait(pid)
    arena.longest_end_s = max(arena.longest_end_s, time.monotonic() - told_s)
    if number is signal.SIGTERM and code not in (0, 3):
        said = (arena.root / "driver.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the driver did not end well, with exit code {code}:\n{said}")
    return True


def _await_rest(cluster: Field) -> None:
    """Waits until nothing runs on the cluster: no task outlives its driver by more than seconds."""
    for _ in range(50):
        if not cluster.workers():
            return
        time.sleep(0.1)
    raise RuntimeError(f"workers run on: {cluster.workers()}")


def _kill_one(arena: Arena, cluster: Field, number: signal.Signals = signal.SIGKILL) -> bool:
    busy = cluster.workers()
    if busy:
        kill(arena.draw.choice(busy), number)
    return bool(busy)


def _ended(pid: int) -> bool:
    """Whether a child has ended; it is still to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _raylets(node: Any) -> list[int]:
    return [info.process.pid for info in node.all_processes.get("raylet", ())]


def _processes() -> Iterator[tuple[int, int, str]]:
    """Process id, parent and command of every process of this machine."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            yield int(folder.name), parent, (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            continue
