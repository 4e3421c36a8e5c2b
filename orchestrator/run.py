"""Runs a sweep: drives the machine with what a backend reports, and keeps journal, progress and tracking up to date.

All decisions are the machine's; everything here is an edge.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jobs.outcome import Failed, Outcome, Succeeded
from jobs.spec import SweepSpec
from jobs.task import StageKind
from orchestrator.backends import Backend, Slots
from orchestrator.machine import Lane, Machine, Submit, TaskState
from orchestrator.plan import Plan
from orchestrator.publishing import Publisher
from orchestrator.results import SweepRecord
from orchestrator.resume import resume_point
from orchestrator.store import Journal, LocalStore
from workers.entry import Provenance, versions

_POLL_S = 0.5
_LEAST_IN_FLIGHT = 8


class Observer(Protocol):
    """Who is told how a sweep goes."""

    def update(self, machine: Machine, outcomes: Sequence[Outcome]) -> None:
        """These outcomes came in, and the machine has taken them in; none where nothing happened for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How a sweep ended.

    Attributes:
        counts: Tasks by stage and state.
        failures: The failed tasks.
        computed: How many tasks ran to their end.
        complete: Every wanted result is there.
        duration_s: From start to end.
    """

    counts: Mapping[tuple[StageKind, TaskState], int]
    failures: tuple[Failed, ...]
    computed: int
    complete: bool
    duration_s: float

    @property
    def blocked(self) -> int:
        """How many tasks could not run because they depend on a failed one."""
        return sum(count for (_, state), count in self.counts.items() if state is TaskState.BLOCKED)


def in_flight_limits(slots: Slots) -> dict[Lane, int]:
    """Twice the slots, so that a worker never waits for the driver."""
    return {
        Lane.CPU: max(_LEAST_IN_FLIGHT, int(2 * slots.cpus)),
        Lane.GPU: max(_LEAST_IN_FLIGHT, int(8 * slots.gpus)),
    }


def run_sweep(
    spec: SweepSpec, plan: Plan, store: LocalStore, backend: Backend, progress: Observer, provenance: Provenance
) -> tuple[Summary, Publisher]:
    """Compute what is missing of a sweep.

    Returns:
        How it ended, and the publisher that logged its points as they came and can log the rest.
    """
    record = SweepRecord(
        name=spec.name,
        spec=spec.model_dump(mode="json"),
        curves=plan.curves,
        git_commit=provenance.git_commit,
        versions=versions(),
    )
    store.write_sweep(spec.name, record.to_json())
    publisher = Publisher(record, store, spec.tracking)
    machine = _machine(plan, backend)
    with Journal(_journal_path(store, spec.name)) as journal:
        journal.append("start", sweep=spec.name, git_commit=provenance.git_commit, tasks=len(plan.tasks))
        submissions = machine.start(*resume_point(plan, store))
        summary = drive(machine, submissions, backend, [JournalKeeper(journal), progress, publisher])
        journal.append("end", complete=summary.complete, computed=summary.computed)
    return summary, publisher


def simulate(plan: Plan, backend: Backend, progress: Observer) -> Summary:
    """Drive a whole plan as if the store were empty; nothing is written anywhere."""
    machine = _machine(plan, backend)
    return drive(machine, machine.start(frozenset(), {}), backend, [progress])


def drive(machine: Machine, submissions: Sequence[Submit], backend: Backend, observers: Sequence[Observer]) -> Summary:
    """Feed a started machine with a backend's outcomes until it has finished."""
    started = time.time()
    computed = 0
    for command in submissions:
        backend.submit(command.task)
    outcomes: list[Outcome] = []
    while True:
        for observer in observers:
            observer.update(machine, outcomes)
        if machine.finished:
            break
        outcomes = backend.wait(_POLL_S)
        for outcome in outcomes:
            computed += isinstance(outcome, Succeeded) and not outcome.reused
            for command in machine.step(outcome):
                backend.submit(command.task)
    return Summary(
        counts=dict(machine.counts),
        failures=tuple(machine.failures),
        computed=computed,
        complete=not machine.failures,
        duration_s=time.time() - started,
    )


def _machine(plan: Plan, backend: Backend) -> Machine:
    limits = in_flight_limits(backend.slots())
    return Machine(plan.tasks, plan.targets, order_resources=plan.order_resources, limits=limits)


def _journal_path(store: LocalStore, sweep: str) -> Path:
    driver = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:6]}"
    return store.root / "journal" / sweep / f"{driver}.jsonl"


class JournalKeeper:
    """Writes every outcome to the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def update(self, machine: Machine, outcomes: Sequence[Outcome]) -> None:
        """Append the outcomes and bring them to disk."""
        for outcome in outcomes:
            common = {"key": outcome.key, "duration_s": round(outcome.duration_s, 4), "host": outcome.host}
            if isinstance(outcome, Succeeded):
                how = {"reused": outcome.reused, "nondeterministic": outcome.nondeterministic}
                self._journal.append("succeeded", **how, **common)
            else:
                retried = machine.state_of(outcome.key) is not TaskState.FAILED
                failure = {"cause": outcome.cause.value, "message": outcome.message, "log": outcome.log}
                self._journal.append("failed", retried=retried, **failure, **common)
        if outcomes:
            self._journal.flush()
