"""What a driver writes of a sweep, and what the next one learns from it."""

from plain_tasks import plain_task

from jobs.outcome import Cause, Failed, Succeeded, Usage
from jobs.resources import Resources
from jobs.stages.table import StageKind
from orchestrator.backends import SimulatedBackend, Slots
from orchestrator.driver.journal_writer import JournalWriter
from orchestrator.driver.run import drive
from orchestrator.scheduling.scheduler import Lane, Scheduler
from orchestrator.status import History
from orchestrator.store import open_store

GPU = Resources(num_gpus=0.5, adaptive=True)


def tuning(number: int):
    return plain_task(StageKind.TUNE, resources=GPU, family="net", label="net/tuned", n=number)


def journalled(tmp_path, outcome, count=1):
    tasks = {each.key: each for each in map(tuning, range(count))}
    backend = SimulatedBackend(Slots(cpus=8.0, gpus=1.0), duration_s=lambda attempt: 100.0, outcome=outcome)
    scheduler = Scheduler(tasks, list(tasks), limits=dict.fromkeys(Lane, 4))
    store = open_store(str(tmp_path))
    with store.open_journal("sweep", "driver") as journal:
        attempts = scheduler.start(frozenset(), {})
        drive(scheduler, attempts, backend, [JournalWriter(journal)], clock=lambda: backend.now_s)
    return list(store.read_journal("sweep"))


def success(attempt, **changes):
    usage = Usage(memory_bytes=1000, gpu_fraction=0.3)
    return Succeeded(key=attempt.task.key, measurements={}, duration_s=100.0, host="b", usage=usage, **changes)


def test_every_attempt_is_there_with_its_number_cause_place_and_cost(tmp_path):
    def outcome(attempt):
        if attempt.number < 3:
            return Failed(
                key=attempt.task.key, cause=Cause.PREEMPTED, message="the node went", host="a", duration_s=10.0
            )
        return success(attempt)

    entries = [entry for entry in journalled(tmp_path, outcome) if "attempt" in entry]
    told = [(entry["kind"], entry["attempt"], entry["host"], entry["gpu_s"], entry.get("cause")) for entry in entries]
    assert told == [
        ("failed", 1, "a", 5.0, "preempted"),
        ("failed", 2, "a", 5.0, "preempted"),
        ("succeeded", 3, "b", 50.0, None),
    ]
    assert [entry["final"] for entry in entries if entry["kind"] == "failed"] == [False, False]
    assert entries[-1]["label"] == "net/tuned"


def test_every_attempt_is_there_with_what_it_asked_for_and_what_followed(tmp_path):
    def outcome(attempt):
        key = attempt.task.key
        if attempt.number == 1:
            return Failed(key=key, cause=Cause.OUT_OF_MEMORY, message="the GPU is full", on_gpu=True)
        if attempt.number == 2:
            return Failed(key=key, cause=Cause.TRANSIENT, message="the disk is away")
        if attempt.number == 3:
            return Failed(key=key, cause=Cause.BUG, message="broken")
        return success(attempt)

    first, second, third = (entry for entry in journalled(tmp_path, outcome) if "attempt" in entry)
    half, whole = ({"num_cpus": 1.0, "num_gpus": gpus, "memory_bytes": 0} for gpus in (0.5, 1.0))
    assert [entry["resources"] for entry in (first, second, third)] == [half, whole, whole]
    assert first["retry"] == {"delay_s": 0.0, "resources": whole, "damaged": "", "avoid": []}
    assert 0.5 <= second["retry"]["delay_s"] <= 1.5  # one second, jittered by a half
    assert (third["retry"], third["final"], third["reason"]) == (
        None,
        True,
        "failures of this kind (bug) are not retried",
    )


def test_a_success_is_there_with_what_it_asked_for(tmp_path):
    (entry,) = (entry for entry in journalled(tmp_path, success) if entry["kind"] == "succeeded")
    assert entry["resources"] == {"num_cpus": 1.0, "num_gpus": 0.5, "memory_bytes": 0}


def test_the_counts_at_the_start_are_there(tmp_path):
    entries = journalled(tmp_path, success, count=2)
    assert next(entry for entry in entries if entry["kind"] == "counts")["stages"] == {"tune": {"running": 2}}


def test_a_bad_node_is_noted_once(tmp_path):
    def outcome(attempt):
        if attempt.number == 1:
            return Failed(key=attempt.task.key, cause=Cause.PREEMPTED, message="died", node="n1")
        return success(attempt)

    entries = journalled(tmp_path, outcome, count=4)
    assert [entry["node"] for entry in entries if entry["kind"] == "avoided"] == ["n1"]


def test_the_next_driver_learns_durations_memory_and_costs(tmp_path):
    history = History.of(journalled(tmp_path, success, count=2))
    cost_model = history.cost_model
    assert history.gpu_s == 100.0  # twice 100 s on half a GPU
    assert cost_model.expected_s(tuning(9)) == 100.0
    assert cost_model.resources(tuning(9)).num_gpus == 6 / 16  # 0.3 and a quarter more


def test_a_reused_result_teaches_nothing(tmp_path):
    history = History.of(journalled(tmp_path, lambda attempt: success(attempt, reused=True)))
    assert history.cost_model.expected_s(tuning(9)) == 0.0


def test_another_result_than_the_first_is_noted_with_its_reason(tmp_path):
    def outcome(attempt):
        return success(attempt, deviation="by 1e-07; another cpu", nondeterministic=False)

    (entry,) = (each for each in journalled(tmp_path, outcome) if each["kind"] == "succeeded")
    assert (entry["deviation"], entry["nondeterministic"]) == ("by 1e-07; another cpu", False)


def test_what_is_stored_and_no_longer_needed_counts_as_reused(tmp_path):
    """A second run whose only target is there: the scheduler never sees what that was made of."""
    trained, target = plain_task(StageKind.TRAIN, n=1), tuning(0)
    backend = SimulatedBackend(Slots(cpus=8.0, gpus=1.0), duration_s=lambda attempt: 1.0, outcome=success)
    scheduler = Scheduler({target.key: target}, [target.key], limits=dict.fromkeys(Lane, 4))
    store = open_store(str(tmp_path))
    with store.open_journal("sweep", "driver") as journal:
        writer = JournalWriter(journal, stored={trained.key: StageKind.TRAIN, target.key: StageKind.TUNE})
        attempts = scheduler.start(frozenset({target.key}), {})
        drive(scheduler, attempts, backend, [writer], clock=lambda: backend.now_s)
    (counts,) = (entry["stages"] for entry in store.read_journal("sweep") if entry["kind"] == "counts")
    assert counts == {"train": {"reused": 1}, "tune": {"reused": 1}}


def test_who_computes_what_this_driver_waits_for_is_counted_as_soon_as_it_changes(tmp_path):
    tasks = {each.key: each for each in map(tuning, range(2))}
    scheduler = Scheduler(tasks, list(tasks), limits=dict.fromkeys(Lane, 4))
    store = open_store(tmp_path)
    with store.open_journal("sweep", "driver") as journal:
        writer = JournalWriter(journal)
        scheduler.start(frozenset(), {})
        writer.update(scheduler, [])
        scheduler.leave({next(iter(tasks)): "other"})
        writer.update(scheduler, [])
        writer.update(scheduler, [])
        scheduler.step([], elsewhere={})
        writer.update(scheduler, [])
    counts = [entry for entry in store.read_journal("sweep") if entry["kind"] == "counts"]
    assert [entry.get("elsewhere") for entry in counts] == [None, {"other": 1}, None]
    assert counts[1]["stages"] == {"tune": {"elsewhere": 1, "running": 1}}
