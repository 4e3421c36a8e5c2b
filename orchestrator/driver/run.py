"""The driver's main loop: passes outcomes from the backend to the scheduler and attempts back, and notifies observers.

All decisions are made by the scheduler; this module does the input and output.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from jobs.errors import StoppedError
from jobs.outcome import Cause, Failed, Outcome, Succeeded
from jobs.secrets import masked_record
from jobs.spec.sweep import SweepSpec
from jobs.stages.table import StageKind
from jobs.task import Attempt, Task
from orchestrator.backends import Backend
from orchestrator.driver.advances import Advances
from orchestrator.driver.journal_writer import JournalWriter
from orchestrator.driver.key_claims import KeyClaims
from orchestrator.driver.lease import INTERRUPTED, DriverLease
from orchestrator.driver.publishing import Publisher
from orchestrator.driver.resume import ResumePoint, stored_tasks
from orchestrator.driver.steering import Steering, in_flight_limits
from orchestrator.driver.summarizing import Summarizer
from orchestrator.planning import Plan
from orchestrator.results import SweepRecord
from orchestrator.results.lineage import planned_settings
from orchestrator.scheduling.estimate import needed_tasks
from orchestrator.scheduling.feasibility import check_feasible, memory_limit
from orchestrator.scheduling.graph import FINISHED, TaskState
from orchestrator.scheduling.scheduler import Scheduler
from orchestrator.scheduling.spending import Caps, Spending
from orchestrator.status import TaskFailure, read_history
from orchestrator.store import ArtifactStore
from orchestrator.store.journal import new_driver_name
from orchestrator.tracking.address import check_usable
from workers.attempt.entry import Provenance, versions

_log = logging.getLogger("orchard")
_POLL_S = 0.25


class Observer(Protocol):
    """Is notified of the progress of a sweep."""

    def update(self, scheduler: Scheduler, outcomes: Sequence[Outcome]) -> None:
        """Called after the scheduler has processed these outcomes; also called without outcomes, as a tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The result of a run.

    Attributes:
        counts: Tasks by stage and state.
        failures: The failures of tasks that are final.
        failed: The tasks, as they are told of.
        computed: Number of tasks that succeeded without a cache hit.
        complete: Every target's result is in the store.
        stopped: Why the run was stopped early; empty where it was not.
        retries: Number of retries, by cause.
        duration_s: From start to end.
    """

    counts: Mapping[tuple[StageKind, TaskState], int]
    failures: tuple[Failed, ...]
    failed: tuple[TaskFailure, ...]
    computed: int
    complete: bool
    stopped: str
    retries: Mapping[Cause, int]
    duration_s: float

    @property
    def blocked(self) -> int:
        """How many tasks could not run because they depend on a failed one."""
        return sum(count for (_, state), count in self.counts.items() if state is TaskState.BLOCKED)


def run_sweep(
    spec: SweepSpec,
    plan: Plan,
    resume: ResumePoint,
    store: ArtifactStore,
    backend: Backend,
    progress: Observer,
    provenance: Provenance,
    lease: DriverLease,
) -> tuple[RunSummary, Publisher]:
    """Compute the missing results of a sweep.

    Args:
        spec: The sweep.
        plan: Its plan.
        resume: What the store has of it.
        store: The store.
        backend: Runs what the store has not.
        progress: Is notified, as the journal and MLflow are.
        provenance: Recorded in the manifests.
        lease: The driver's lease.

    Returns:
        The summary, and the publisher, which has logged the points so far and can log the rest.

    Raises:
        BadInputError: A task that has to run requests more than any node has, or `tracking` cannot be used.
        StoppedError: The cluster is lost.
    """
    check_usable(spec.tracking)
    kinds = backend.node_kinds()
    check_feasible(plan.requests(needed_tasks(plan.tasks, plan.targets, resume.present)), kinds)
    record = SweepRecord(
        name=spec.name,
        spec=masked_record(spec.model_dump(mode="json")),
        curves=tuple(replace(curve, settings=masked_record(planned_settings(plan, curve))) for curve in plan.curves),
        environment=asdict(plan.environment),
        git_commit=provenance.git_commit,
        versions=versions(),
    )
    store.write_sweep(spec.name, record.to_json())
    publisher = Publisher(record, store, spec.tracking)
    history = read_history(store.files, spec.name)
    scheduler = Scheduler(
        plan.tasks,
        plan.targets,
        limits=in_flight_limits(backend.slots(), kinds),
        resources=plan.resources,
        cost_model=history.cost_model,
        spending=Spending(_caps(spec), gpu_s=history.gpu_s, started_s=time.monotonic()),
        memory_limit=lambda asked: memory_limit(asked, kinds),
    )
    lease.claim_keys()
    with store.open_journal(spec.name, new_driver_name(lease.term.number)) as journal:
        journal.append("start", sweep=spec.name, git_commit=provenance.git_commit, term=lease.term.number)
        attempts = scheduler.start(*resume, now_s=time.monotonic())
        stored = stored_tasks(plan, *resume)
        observers: list[Observer] = [
            JournalWriter(journal, stored=stored),
            Summarizer(store.files, spec.name),
            progress,
            publisher,
            Steering(lease, backend),
        ]
        try:
            summary = drive(
                scheduler,
                attempts,
                backend,
                observers,
                quarantine=store.quarantine,
                noted=Advances(store).noted,
                claims=lease.keys,
            )
        except (StoppedError, KeyboardInterrupt) as error:
            # Nothing more is logged to MLflow: whoever looks at the sweep next ends its runs there.
            journal.append("end", complete=False, computed=0, stopped=str(error) or INTERRUPTED, abrupt=True)
            raise
        journal.append("end", complete=summary.complete, computed=summary.computed, stopped=summary.stopped)
    return summary, publisher


def drive(
    scheduler: Scheduler,
    attempts: Sequence[Attempt],
    backend: Backend,
    observers: Sequence[Observer],
    *,
    clock: Callable[[], float] = time.monotonic,
    quarantine: Callable[[str], None] = lambda key: None,
    noted: Callable[[Sequence[Outcome]], list[Outcome]] = list,
    claims: KeyClaims | None = None,
) -> RunSummary:
    """Run the main loop until the scheduler has finished.

    Args:
        scheduler: A started scheduler, by the same clock.
        attempts: The attempts that its start returned.
        backend: Runs the attempts.
        observers: Notified in every round.
        clock: The scheduler's clock, in seconds.
        quarantine: Moves a damaged artifact out of the way. If it raises OSError, the artifact's readers fail, and the
            next run tries again.
        noted: Notes on outcomes what the scheduler is to know beyond what the backend saw.
        claims: The keys that this driver claims; None where no other driver can want any of them.
    """

    def submit(attempts: Sequence[Attempt]) -> None:
        while attempts:
            elsewhere = claims.claim([attempt.task.key for attempt in attempts]) if claims else {}
            backend.submit([attempt for attempt in attempts if attempt.task.key not in elsewhere])
            attempts = scheduler.leave(elsewhere, clock()) if elsewhere else ()

    started = clock()
    computed = 0
    submit(attempts)
    outcomes: list[Outcome] = []
    while True:
        for observer in observers:
            observer.update(scheduler, outcomes)
        if scheduler.finished:
            break
        wait_s = _POLL_S if scheduler.wake_s is None else min(_POLL_S, max(0.0, scheduler.wake_s - clock()))
        outcomes = noted(backend.wait(wait_s))
        computed += sum(isinstance(outcome, Succeeded) and not outcome.reused for outcome in outcomes)
        _put_aside(outcomes, scheduler, quarantine)
        elsewhere = None
        if claims:
            claims.release(outcomes)
            if found := claims.look(scheduler.elsewhere):
                outcomes, elsewhere = [*outcomes, *found.stored], found.holders
        submit(scheduler.step(outcomes, clock(), elsewhere=elsewhere))
    return RunSummary(
        counts=dict(scheduler.counts),
        failures=tuple(scheduler.failures),
        failed=tuple(_failed(scheduler.task(each.key), each) for each in scheduler.failures),
        computed=computed,
        complete=scheduler.complete,
        stopped="" if scheduler.complete else scheduler.stopped,
        retries=dict(scheduler.retries),
        duration_s=clock() - started,
    )


def _failed(task: Task, failure: Failed) -> TaskFailure:
    return TaskFailure(
        key=task.key,
        stage=task.stage,
        label=task.label,
        cause=failure.cause,
        message=failure.message,
        log=failure.log,
    )


def _put_aside(outcomes: Sequence[Outcome], scheduler: Scheduler, quarantine: Callable[[str], None]) -> None:
    """Quarantine the damaged artifacts that attempts have met."""
    for outcome in outcomes:
        if isinstance(outcome, Failed) and outcome.damaged and scheduler.state_of(outcome.damaged) in FINISHED:
            try:
                quarantine(outcome.damaged)
            except OSError as error:
                _log.warning("the damaged artifact %s cannot be quarantined: %s", outcome.damaged, error)


def _caps(spec: SweepSpec) -> Caps:
    gpu_hours, wall_hours = spec.budget.gpu_hours, spec.budget.wall_hours
    return Caps(
        gpu_s=None if gpu_hours is None else 3600 * gpu_hours,
        wall_s=None if wall_hours is None else 3600 * wall_hours,
    )
