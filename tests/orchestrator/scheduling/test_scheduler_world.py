"""The scheduler in a small simulated world: a store, workers, drivers that die, artifacts that get damaged.

Whatever Hypothesis lets happen, and in whatever order: no task runs before its inputs were committed, none is computed
again while its artifact is whole, and once the faults stop every result comes to be.
"""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from joining_tasks import MEASURED, ensemble_task, vote_task
from plain_tasks import permute_task, plain_task

from jobs.outcome import Cause, Failed, Succeeded
from jobs.stages.table import StageKind
from jobs.task import joined_tasks
from orchestrator.scheduling.retry import RETRIES
from orchestrator.scheduling.scheduler import Lane, Scheduler

PASSING = (Cause.PREEMPTED, Cause.TRANSIENT, Cause.OUT_OF_MEMORY)


def plan(numbers: int, joining=lambda trained, converted: permute_task(converted)):
    train = plain_task(StageKind.TRAIN)
    convert = plain_task(StageKind.CONVERT, inputs={"network": train.key})
    joins = joining(train.key, convert.key)
    tasks, targets = [train, convert, joins], []
    for number in range(numbers):
        prune = plain_task(StageKind.PRUNE, inputs={"network": joins.key}, number=number)
        evaluate = plain_task(StageKind.EVALUATE, inputs={"network": prune.key}, number=number)
        tasks += [prune, evaluate]
        targets.append(evaluate.key)
    return {each.key: each for each in tasks}, targets


@dataclass
class World:
    """A model of the store, workers and drivers around the scheduler."""

    tasks: dict
    targets: list
    whole: set = field(default_factory=set)
    """Keys of artifacts that are committed and readable."""
    rotten: set = field(default_factory=set)
    """Committed, but damaged: it is found out when one is read."""
    computed: list = field(default_factory=list)

    def driver(self, limit: int):
        """A new driver: it goes by what the store lists, damaged or not."""
        listed = frozenset(self.whole | self.rotten)
        converts = [key for key, each in self.tasks.items() if each.stage is StageKind.CONVERT and key in listed]
        limits = dict.fromkeys(Lane, limit)
        scheduler = Scheduler(self.tasks, self.targets, limits=limits)
        return scheduler, scheduler.start(listed, dict.fromkeys(converts, MEASURED))

    def inputs(self, each):
        """What a task reads."""
        return [*each.inputs.values(), *(joined.key for joined in joined_tasks(each, MEASURED))]

    def execute(self, each, fate):
        """What a worker does; gives the outcome, or None where its message is lost with the worker."""
        measured = MEASURED if each.stage is StageKind.CONVERT else {}
        if each.key in self.whole:
            return Succeeded(key=each.key, measurements=measured, duration_s=0.0, reused=True)
        if isinstance(fate, Cause):
            return Failed(key=each.key, cause=fate, message="it may pass")
        for key in self.inputs(each):
            assert key in self.computed, "it started before its inputs were committed"
            if key not in self.whole:  # damaged, or quarantined since because another reader found the damage first
                return Failed(key=each.key, cause=Cause.CORRUPT, message="damaged", damaged=key)
        self.computed.append(each.key)
        self.rotten.discard(each.key)
        self.whole.add(each.key)
        if fate == "lost after the commit":
            return Failed(key=each.key, cause=Cause.PREEMPTED, message="the worker went away")
        return Succeeded(key=each.key, measurements=measured, duration_s=1.0)

    def put_aside(self, outcome, scheduler):
        """What a driver does before it reports a damaged artifact to the scheduler."""
        if isinstance(outcome, Failed) and outcome.cause is Cause.CORRUPT:
            self.rotten.discard(outcome.damaged)
        return outcome


FATES = st.sampled_from([*["success"] * 6, *PASSING, "lost after the commit", "rot", "driver dies"])

JOINING = st.sampled_from(
    [
        lambda trained, converted: permute_task(converted),
        vote_task,  # what is joined reads another network
        lambda trained, converted: ensemble_task(converted),  # what is joined joins others, too
    ]
)

LEAST_BUDGET = min(RETRIES.values())
"""So many troubles no task fails for, whatever they are and whichever tasks they meet."""


@settings(max_examples=300, deadline=None)
@given(data=st.data(), numbers=st.integers(1, 3), limit=st.integers(1, 4), joining=JOINING)
def test_nothing_is_lost_and_nothing_whole_is_computed_twice(data, numbers, limit, joining):
    tasks, targets = plan(numbers, joining)
    world = World(tasks, targets)
    scheduler, running = world.driver(limit)
    now_s, rotted, troubles = 0.0, 0, 0
    while not scheduler.finished:
        now_s += 100.0
        if not running:
            running = scheduler.step([], now_s)
            continue
        attempt = running.pop(data.draw(st.integers(0, len(running) - 1)))
        fate = data.draw(FATES) if troubles < LEAST_BUDGET else "success"
        troubles += fate != "success"
        if fate == "driver dies":
            world.execute(attempt.task, "success")  # its orphan still commits
            scheduler, running = world.driver(limit)
            continue
        if fate == "rot" and world.whole:
            key = data.draw(st.sampled_from(sorted(world.whole)))
            if scheduler.state_of(key) and scheduler.task(key).stage is not StageKind.EVALUATE:
                world.whole.discard(key)
                world.rotten.add(key)
                rotted += 1
        outcome = world.put_aside(world.execute(attempt.task, fate), scheduler)
        running += scheduler.step([outcome], now_s)
    assert scheduler.complete
    assert not scheduler.failures
    assert set(targets) <= world.whole
    assert len(world.computed) <= len(set(world.computed)) + rotted


@settings(max_examples=100, deadline=None)
@given(data=st.data(), limit=st.integers(1, 4), joining=JOINING)
def test_a_sweep_stopped_at_any_moment_goes_on_where_it_stopped(data, limit, joining):
    tasks, targets = plan(2, joining)
    world = World(tasks, targets)
    stops = 0
    scheduler, running = world.driver(limit)
    while True:
        if stops < 3 and data.draw(st.booleans()):
            scheduler.stop("cancelled")
            stops += 1
        while running:
            attempt = running.pop(0)
            cut = scheduler.stopped and data.draw(st.booleans())
            running += scheduler.step([world.execute(attempt.task, Cause.CANCELLED if cut else "success")])
            if not scheduler.stopped:
                break
        if scheduler.complete:
            break
        if scheduler.finished:
            assert scheduler.stopped
            assert not scheduler.failures
            scheduler, running = world.driver(limit)
    assert len(world.computed) == len(set(world.computed))


def test_the_world_would_notice_a_task_that_starts_too_early():
    tasks, targets = plan(1)
    world = World(tasks, targets)
    evaluate = tasks[targets[0]]
    try:
        world.execute(replace(evaluate, inputs={"network": "cc"}), "success")
    except AssertionError:
        return
    raise RuntimeError("it did not")
