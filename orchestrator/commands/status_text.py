"""Formats a sweep's status for the terminal. Pure: no disk, no store."""

import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.status import EqualFailures, State, SweepStatus, equal_failures
from orchestrator.status.eta import Eta

_SHOWN = 20
"""Maximum number of different failures shown; `--json` has all failed tasks."""
_COLUMNS = ("done", "running", "waiting", "reused", "failed", "blocked")


def status_line(status: SweepStatus) -> str:
    """A sweep in one line."""
    finished = sum(stage.done + stage.reused for stage in status.stages)
    total = sum(getattr(stage, column) for stage in status.stages for column in _COLUMNS)
    failed = f", {len(status.failed_tasks)} failed" if status.failed_tasks else ""
    left = f", {_left(status.time_left)}" if status.time_left else ""
    reason = f": {status.reason}" if status.reason else ""
    problem = f"\n  {status.problem}" if status.problem else ""
    return f"{status.sweep}: {status.state}{reason}; {finished} of {total} tasks{failed}{left}{problem}"


def status_page(status: SweepStatus) -> RenderableType:
    """A sweep with its stages, failures and costs."""
    parts: list[RenderableType] = [Text(line) for line in _head(status)]
    if status.stages:
        parts.append(_table(status))
    return Group(*parts, *(Text(line) for line in _foot(status)))


def when(seconds: float) -> str:
    """Format a time in seconds since the epoch."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def _head(status: SweepStatus) -> Iterator[str]:
    yield f"{status.sweep}: {_meaning(status)}"
    driver = status.driver
    if driver is not None:
        state = f"alive, heard {driver.quiet_s:.0f} s ago" if driver.alive else "ended"
        since = f"since {when(driver.since_s)} (term {driver.term})"
        yield f"driver: process {driver.pid} on {driver.host} {since}, {state}"
    if status.started_s is not None:
        left = f", {_left(status.time_left)}" if status.time_left else ""
        yield f"run {status.runs}, begun {when(status.started_s)}: {_clock(status.duration_s)}{left}"


def _meaning(status: SweepStatus) -> str:
    again = "finished results are kept, `orchard run` continues"
    match status.state:
        case State.NEW:
            return "no driver has started it"
        case State.HELD:
            return "leased by a driver that is planning or logging to MLflow, not running tasks"
        case State.STOPPED:
            return f"stopped: {status.reason}; {again}"
        case State.FAILED:
            return f"ended with failed tasks; {again}"
        case State.INTERRUPTED:
            return f"interrupted: its driver died (killed, or its machine was lost); {again}"
        case _:
            return status.state.value


def _table(status: SweepStatus) -> Table:
    table = Table()
    table.add_column("stage")
    for heading in _COLUMNS:
        table.add_column(heading, justify="right")
    for stage in status.stages:
        counts = [getattr(stage, column) for column in _COLUMNS]
        table.add_row(stage.stage.value, *(str(count) if count else "·" for count in counts))
    return table


def _foot(status: SweepStatus) -> Iterator[str]:
    retries = ", ".join(f"{count} {cause}" for cause, count in sorted(status.retries.items()))
    yield f"attempts: {status.attempts}" + (
        f"; failed and retried or left to the next run (--retries lists them): {retries}" if retries else ""
    )
    cap = "" if status.gpu_hours_cap is None else f" of {status.gpu_hours_cap:g}"
    yield f"GPU-hours, all runs: {status.gpu_hours:.3g}{cap}"
    for sweep, count in sorted(status.elsewhere.items()):
        yield f"waiting for {sweep or 'an answer of the store'}: {count} tasks{' that it computes' if sweep else ''}"
    if status.avoided_nodes:
        yield f"nodes avoided because they killed tasks: {', '.join(status.avoided_nodes)}"
    equal = equal_failures(status.failed_tasks)
    for failure in equal[:_SHOWN]:
        yield from _failed(failure)
    if more := sum(len(failure.keys) for failure in equal[_SHOWN:]):
        yield f"and {more} more failed tasks; --json lists all of them"
    yield from _deviating(status)
    if status.problem:
        yield status.problem
    if status.lost_entries:
        yield f"{status.lost_entries} entries could not be written to the journal and are missing here"
    if status.unreadable_entries:
        yield (
            f"{status.unreadable_entries} lines of the journal cannot be read (torn off as a driver died, or changed) "
            "and are missing here"
        )


def _failed(failure: EqualFailures) -> Iterator[str]:
    yield f"failed ({failure.cause}): {failure.what} ({failure.keys[0][:12]}): {failure.message}"
    yield f"  log: {failure.log or 'none was written'}"


def _deviating(status: SweepStatus) -> Iterator[str]:
    """Every nondeterministic task, because it is a bug, and the number of deviations explained by the processor."""
    unexplained = [task for task in status.deviating_tasks if task.nondeterministic]
    for task in unexplained[:_SHOWN]:
        yield f"not deterministic: {task.stage} {task.label} ({task.key[:12]}): {task.message}"
        yield f"  log: {task.log}"
    if len(unexplained) > _SHOWN:
        yield f"and {len(unexplained) - _SHOWN} more that are not deterministic; --json lists all of them"
    if rounded := len(status.deviating_tasks) - len(unexplained):
        yield (
            f"{rounded} computed twice, on machines that round differently; the first results are kept "
            "(--json and `orchard logs` say by how much they differ)"
        )


def _left(left: Eta) -> str:
    return f"{'at least' if left.at_least else 'about'} {_clock(left.seconds)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
