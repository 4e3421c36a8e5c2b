"""Claims on keys: drivers of one store beside each other, whatever the order of their steps, and their deaths."""

import random
from dataclasses import dataclass, field

import pytest
from dict_files import DictFiles
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_tasks import plain_task
from taking_turns import Actor, PausingFiles

from jobs.artifact import Manifest
from jobs.outcome import Cause, Failed, Succeeded
from jobs.stages.table import StageKind
from orchestrator.driver.key_claims import KeyClaims
from orchestrator.driver.run import drive
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.store import ArtifactStore, Lease, LeaseTerm
from orchestrator.store.claim_register import CLAIMS

TTL_S, BEAT_S = 10.0, 1.0


class Driver:
    """A lease and its claims by a clock that a test sets."""

    def __init__(self, files, sweep, now) -> None:
        self.store = ArtifactStore(files)
        self.lease = Lease.acquire(files, sweep, ttl_s=TTL_S, clock=lambda: now[0])
        self.claims = KeyClaims(self.store, self.lease.term, ttl_s=TTL_S, clock=lambda: now[0])
        self.claims.join(self.lease.beaten_s)

    def beat(self) -> None:
        self.lease.renew()
        self.claims.beat(self.lease.beaten_s)

    def end(self) -> None:
        self.claims.leave()
        self.lease.release()


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def files():
    return DictFiles()


def commit(files, key) -> Succeeded:
    manifest = Manifest(
        key=key, stage="score", identity={}, inputs={}, measurements={"n": 1}, timings={}, label="", created_s=0.0,
        duration_s=0.0, host="h", resources={}, usage={}, versions={}, processor={}, git_commit="",
    )  # fmt: skip
    ArtifactStore(files).commit(manifest, {})
    return Succeeded(key=key, measurements={"n": 1}, duration_s=0.0)


def test_a_driver_that_is_alone_writes_nothing_for_what_it_computes(files, now):
    driver = Driver(files, "a", now)
    written = len(files.names(CLAIMS))
    for number in range(50):
        assert driver.claims.claim([f"key{number}"]) == {}
        driver.claims.release([commit(files, f"key{number}")])
        now[0] += BEAT_S
        driver.beat()
        assert driver.claims.look({}) is None
    assert len(files.names(CLAIMS)) == written == 1


def test_a_second_driver_computes_nothing_before_the_first_has_seen_it(files, now):
    first, second = Driver(files, "a", now), Driver(files, "b", now)
    assert first.claims.claim(["x"]) == {}
    assert second.claims.claim(["x", "y"]) == {"x": "a", "y": "a"}
    first.beat()
    now[0] += 1.0
    assert second.claims.look({"x": "a", "y": "a"}).holders == {"x": "a"}
    assert second.claims.claim(["y"]) == {}
    assert first.claims.claim(["y", "z"]) == {"y": "b"}


def test_what_the_other_has_committed_counts_as_stored_and_what_it_failed_on_is_free(files, now):
    first, second = Driver(files, "a", now), Driver(files, "b", now)
    first.beat()
    assert first.claims.claim(["x", "y", "z"]) == {}
    assert second.claims.claim(["x", "y", "z"]) == {"x": "a", "y": "a", "z": "a"}
    first.claims.release([commit(files, "x"), Failed(key="y", cause=Cause.BUG, message="")])
    now[0] += 1.0
    first.beat()
    found = second.claims.look(["x", "y", "z"])
    assert [(each.key, each.measurements, each.reused) for each in found.stored] == [("x", {"n": 1}, True)]
    assert found.holders == {"z": "a"}
    assert second.claims.claim(["y"]) == {}


def test_it_is_looked_once_a_second(files, now):
    first, second = Driver(files, "a", now), Driver(files, "b", now)
    first.beat()
    first.claims.claim(["x"])
    assert second.claims.claim(["x"]) == {"x": "a"}
    assert second.claims.look(["x"]).holders == {"x": "a"}
    now[0] += 0.5
    assert second.claims.look(["x"]) is None


def test_what_was_cancelled_by_force_is_claimed_until_its_driver_has_ended(files, now):
    first, second = Driver(files, "a", now), Driver(files, "b", now)
    first.beat()
    first.claims.claim(["x"])
    first.claims.release([Failed(key="x", cause=Cause.CANCELLED, message="")])
    assert second.claims.claim(["x"]) == {"x": "a"}
    first.end()
    now[0] += 1.0
    second.beat()
    assert second.claims.look(["x"]).holders == {}
    assert second.claims.claim(["x"]) == {}


def test_a_dead_drivers_keys_are_taken_over_when_its_heartbeats_have_stopped_for_its_time_to_live(files, now):
    first, second = Driver(files, "a", now), Driver(files, "b", now)
    first.beat()
    first.claims.claim(["x"])
    assert second.claims.claim(["x"]) == {"x": "a"}
    for _ in range(int(TTL_S / BEAT_S) - 1):
        now[0] += BEAT_S
        second.beat()
        assert second.claims.look(["x"]).holders == {"x": "a"}
    now[0] += 2 * BEAT_S
    second.beat()
    assert second.claims.look(["x"]).holders == {}
    assert second.claims.claim(["x"]) == {}


def test_a_successor_of_a_dead_driver_does_not_wait_for_its_claims(files, now):
    Driver(files, "a", now).claims.claim(["x"])
    files.create(LeaseTerm(sweep="a", number=2).path, b"{}")
    claims = KeyClaims(ArtifactStore(files), LeaseTerm(sweep="a", number=2), ttl_s=TTL_S, clock=lambda: now[0])
    claims.join(now[0])
    assert claims.claim(["x"]) == {}


def test_a_driver_that_slept_too_long_claims_nothing_that_another_has_claimed_meanwhile(files, now):
    sleeper, other = Driver(files, "a", now), Driver(files, "b", now)
    for _ in range(15):
        now[0] += BEAT_S
        other.beat()  # it drops the sleeper, and is alone
    assert other.claims.claim(["x"]) == {}
    assert sleeper.claims.claim(["x", "y"]) == {"x": "b", "y": "b"}  # it was alone, as far as it knew
    sleeper.beat()
    other.beat()
    now[0] += 1.0
    assert sleeper.claims.look(["x", "y"]).holders == {"x": "b"}


def test_the_one_that_is_left_needs_no_claims_any_more(files, now):
    first, second = Driver(files, "a", now), Driver(files, "b", now)
    first.beat()
    second.claims.claim(["x"])
    second.end()
    first.beat()
    before = files.names(CLAIMS)
    assert first.claims.claim(["x"]) == {}
    assert files.names(CLAIMS) == before


def test_without_an_answer_of_the_store_nothing_is_computed_and_it_goes_on_afterwards(files, now, monkeypatch):
    first, second = Driver(files, "a", now), Driver(files, "b", now)
    first.beat()
    second.beat()

    def fails(*arguments, **options):
        raise OSError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(DictFiles, "create", fails)
        assert second.claims.claim(["x"]) == {"x": ""}
        second.beat()
    now[0] += 1.0
    assert second.claims.look(["x"]).holders == {}
    assert second.claims.claim(["x"]) == {}
    assert first.claims.claim(["x"]) == {"x": "b"}


def test_a_damaged_table_is_written_anew_by_those_who_are_in_it(files, now):
    first, second = Driver(files, "a", now), Driver(files, "b", now)
    first.beat()
    first.claims.claim(["x"])
    newest = max(files.names(CLAIMS))
    files.replace(f"{CLAIMS}/{newest[:8]}.json", b"damaged")
    second.beat()
    assert second.claims.claim(["x", "y"]) == {"x": "a", "y": "a"}  # it may be anything
    first.beat()
    assert second.claims.look(["x", "y"]).holders == {"x": "a"}
    assert second.claims.claim(["y"]) == {}
    assert first.claims.claim(["y"]) == {"y": "b"}


@dataclass
class World:
    """Drivers with tasks in common on one store, and what of it is computed by whom."""

    draw: random.Random
    now: list = field(default_factory=lambda: [0.0])
    files: DictFiles = field(default_factory=DictFiles)
    computing: dict = field(default_factory=dict)
    computed: list = field(default_factory=list)
    bad: dict = field(default_factory=dict)
    """The keys on which the drivers of a sweep fail."""

    def start(self, sweep, tasks) -> Actor:
        return Actor(lambda actor: self._run(actor, sweep, tasks))

    def _run(self, actor, sweep, tasks) -> None:
        files = PausingFiles(self.files, actor)
        clock = lambda: self.now[0]  # noqa: E731
        lease = Lease.acquire(files, sweep, ttl_s=TTL_S, clock=clock, sleep=lambda seconds: actor.pause())
        store = ArtifactStore(files)
        claims = KeyClaims(store, lease.term, ttl_s=TTL_S, clock=clock)
        claims.join(lease.beaten_s)
        scheduler = Scheduler(tasks, list(tasks), limits=dict.fromkeys(Lane, 3))
        attempts = scheduler.start(frozenset(store.present(tasks)), {}, now_s=clock())
        drive(scheduler, attempts, Computing(self, actor, sweep, lease, claims), [], clock=clock, claims=claims)
        claims.leave()
        lease.release()


@dataclass
class Computing:
    """A backend: one task at a time, which takes several turns; heartbeats go on meanwhile."""

    world: World
    actor: Actor
    sweep: str
    lease: Lease
    claims: KeyClaims
    queue: list = field(default_factory=list)
    beaten_s: float = 0.0

    def submit(self, attempts) -> None:
        self.queue += attempts

    def wait(self, timeout_s):
        self.turn()
        if not self.queue:
            return []
        key = self.queue.pop(0).task.key
        world = self.world
        if world.files.exists(f"manifests/{key[:2]}/{key}.json"):
            return [Succeeded(key=key, measurements={}, duration_s=0.0, reused=True)]
        others = [actor for actor in world.computing.get(key, ()) if not actor.killed]
        assert not others, f"{key} is computed by two drivers"
        world.computing.setdefault(key, []).append(self.actor)
        for _ in range(world.draw.randrange(6)):
            self.turn()
        world.computing[key].remove(self.actor)
        if key in world.bad[self.sweep]:
            return [Failed(key=key, cause=Cause.BUG, message="broken")]
        world.computed.append(key)
        return [commit(world.files, key)]

    def turn(self) -> None:
        self.actor.pause()
        if self.world.now[0] - self.beaten_s > BEAT_S:
            self.beaten_s = self.world.now[0]
            self.lease.renew()
            self.claims.beat(self.lease.beaten_s)


def chains(number, first):
    """Tasks of which each but the first reads the one before; `first` of them are those of all sweeps."""
    tasks = []
    for n in range(6):
        inputs = {"before": tasks[-1].key} if n % 3 else {}
        tasks.append(plain_task(StageKind.SCORE, inputs=inputs, n=n, sweep=0 if n < first else number))
    return {task.key: task for task in tasks}


@given(seed=st.integers(min_value=0, max_value=2**32), drivers=st.sampled_from([2, 2, 3]))
@settings(max_examples=25, deadline=None)
def test_no_task_is_computed_by_two_and_all_ends_whatever_happens(seed, drivers):
    world = World(random.Random(seed))
    plans = {f"sweep{number}": chains(number, world.draw.choice([3, 6])) for number in range(drivers)}
    world.bad = {sweep: world.draw.sample(list(tasks), world.draw.randrange(2)) for sweep, tasks in plans.items()}
    actors = {sweep: world.start(sweep, tasks) for sweep, tasks in plans.items()}
    idle = dict.fromkeys(plans, 0)
    deaths = [world.draw.randrange(20, 400) for _ in range(world.draw.randrange(3))]
    for turn in range(20_000):
        running = [sweep for sweep, actor in actors.items() if not actor.ended]
        if not running:
            break
        sweep = max(running, key=idle.get) if turn % 7 == 0 else world.draw.choice(running)
        idle = {each: count + 1 for each, count in idle.items()} | {sweep: 0}
        actors[sweep].step()
        world.now[0] += 0.02
        if turn in deaths:
            actors[sweep].kill()
            actors[sweep] = world.start(sweep, plans[sweep])
    assert not running
    failing = set().union(*world.bad.values())
    assert len(world.computed) == len(set(world.computed))
    for tasks in plans.values():
        if not failing & set(tasks):
            assert set(tasks) <= set(world.computed)
