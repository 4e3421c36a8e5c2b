import json
import mmap
import platform
import time
from pathlib import Path

import pytest
import torch
from attempts import PRODUCT, a_task, raising, returning

from jobs.artifact import Commit, CorruptArtifactError, Manifest
from jobs.errors import BadInputError, BadNumericsError, CancelledError, UnfitMachineError
from jobs.outcome import Cause, Failed, Succeeded
from jobs.resources import Resources
from jobs.stages.base import ArtifactKey
from jobs.stages.scoring import ScoreParams
from jobs.stages.table import StageKind
from jobs.task import make_task
from orchestrator.store import open_store
from workers.attempt.entry import LIBRARIES, Provenance, run_task, versions
from workers.attempt.processor import processor
from workers.checkpoints import Progress
from workers.stages import Product, stage_function

CAUSES = [
    (BadInputError("no such layer"), Cause.BAD_INPUT),
    (BadNumericsError("the loss is nan"), Cause.BAD_NUMERICS),
    (CancelledError("stopped"), Cause.CANCELLED),
    (SystemExit(0), Cause.BAD_INPUT),
    (torch.OutOfMemoryError("CUDA out of memory"), Cause.OUT_OF_MEMORY),
    (CorruptArtifactError("another digest", key="ab"), Cause.CORRUPT),
    (TimeoutError("slow disk"), Cause.TRANSIENT),
    (KeyError("role"), Cause.BUG),
]


def scoring(network):
    """A real task that reads a network."""
    params = ScoreParams(network=ArtifactKey(network), criterion="l1")
    return make_task(params, environment={"torch": "any", "dtype": "float32", "device": "cpu"})


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


def test_a_task_leaves_its_artifact_and_says_what_it_measured(store):
    task = a_task()
    outcome = run_task(task, store, stage_of=returning(PRODUCT))
    assert isinstance(outcome, Succeeded)
    assert (outcome.key, outcome.measurements, outcome.reused) == (task.key, {"accuracy": 0.5}, False)
    assert outcome.host
    assert store.read(task.key, "a.json") == b"[1]"


def test_the_manifest_says_where_the_artifact_came_from(store):
    task, before = a_task(), time.time()
    run_task(task, store, provenance=Provenance(git_commit="abc123"), stage_of=returning(PRODUCT))
    manifest = store.manifest(task.key)
    assert (manifest.key, manifest.stage, manifest.label) == (task.key, "score", "net/l1@40%/seed3")
    assert manifest.identity == task.identity()
    assert (manifest.measurements, manifest.timings) == ({"accuracy": 0.5}, {"solve_s": 1.5})
    assert manifest.files.keys() == {"a.json"}
    assert manifest.git_commit == "abc123"
    assert before <= manifest.created_s <= time.time()
    assert 0 <= manifest.duration_s <= time.time() - before
    assert manifest.host
    assert manifest.processor == processor(torch.device("cpu"))
    assert manifest.versions.keys() == {"python", *LIBRARIES}
    assert (manifest.versions["python"], manifest.versions["torch"].partition("+")[0]) == (
        platform.python_version(),
        torch.__version__.partition("+")[0],
    )


def test_without_provenance_no_commit_is_named(store):
    run_task(a_task(), store, stage_of=returning(PRODUCT))
    assert store.manifest(a_task().key).git_commit == ""


def test_the_stage_sees_the_task_its_parameters_and_the_device(store):
    task, seen = a_task(), []

    def run(context):
        seen.append((context.task, context.params, context.device, context.should_stop()))
        return PRODUCT

    answers = iter([False, True])
    run_task(task, store, should_stop=lambda: next(answers), stage_of=lambda stage: run)
    assert seen == [(task, task.params, torch.device("cpu"), True)]


def test_a_task_that_was_cancelled_before_it_started_does_not_run(store):
    outcome = run_task(a_task(), store, should_stop=lambda: True, stage_of=raising(AssertionError("it ran")))
    assert (outcome.cause, outcome.message) == (Cause.CANCELLED, "stopped on request before it started")


def test_an_attempt_that_may_not_commit_commits_nothing(store):
    outcome = run_task(a_task(), store, may_commit=lambda: False, stage_of=returning(PRODUCT))
    assert outcome.cause is Cause.CANCELLED
    assert "another driver has taken this sweep over" in outcome.message
    assert not store.has(a_task().key)


def test_the_stage_of_the_task_is_asked_for(store):
    asked = []
    run_task(a_task(), store, stage_of=lambda stage: asked.append(stage) or (lambda context: PRODUCT))
    assert asked == [StageKind.SCORE]


@pytest.mark.parametrize("stage", StageKind)
def test_every_stage_has_a_function(stage):
    assert stage_function(stage).__module__ == f"workers.stages.{stage.value}"


def test_a_task_whose_artifact_is_there_does_not_run(store):
    run_task(a_task(), store, stage_of=returning(PRODUCT))
    outcome = run_task(a_task(), store, stage_of=raising(AssertionError("it ran")))
    assert isinstance(outcome, Succeeded)
    assert (outcome.reused, outcome.duration_s, outcome.measurements) == (True, 0.0, {"accuracy": 0.5})


def test_what_is_no_part_of_the_key_does_not_make_it_run_again(store):
    run_task(a_task(), store, stage_of=returning(PRODUCT))
    moved = a_task(label="other", resources=Resources(num_cpus=2), locations={"data": "/elsewhere"})
    assert run_task(moved, store, stage_of=raising(AssertionError("it ran"))).reused


def test_threads_are_as_many_as_cpu_slots_in_all_processes_together(store):
    counts = []

    def run(context):
        counts.append(torch.get_num_threads())
        return PRODUCT

    try:
        for number, (num_cpus, processes) in enumerate(((2.0, 1), (0.5, 1), (5.0, 2))):
            task = a_task(number=number, resources=Resources(num_cpus=num_cpus, processes=processes))
            run_task(task, store, stage_of=lambda stage: run)
    finally:
        torch.set_num_threads(1)
    assert counts == [2, 1, 2]
    assert store.manifest(task.key).processor["processes"] == "2"


@pytest.mark.parametrize(("error", "cause"), CAUSES, ids=[type(error).__name__ for error, _ in CAUSES])
def test_an_exception_becomes_a_failure_with_its_cause(store, error, cause):
    outcome = run_task(a_task(), store, stage_of=raising(error))
    assert isinstance(outcome, Failed)
    assert (outcome.key, outcome.cause) == (a_task().key, cause)
    assert outcome.message
    assert outcome.host
    assert not store.has(a_task().key)


@pytest.mark.parametrize(("error", "cause"), CAUSES, ids=[type(error).__name__ for error, _ in CAUSES])
def test_a_traceback_comes_along_unless_the_message_says_all(store, error, cause):
    outcome = run_task(a_task(), store, stage_of=raising(error))
    assert bool(outcome.traceback) == (cause not in {Cause.BAD_INPUT, Cause.CANCELLED})


def test_what_a_failure_needs_beside_its_cause_comes_along(store):
    assert run_task(a_task(), store, stage_of=raising(torch.OutOfMemoryError("CUDA out of memory"))).on_gpu
    assert not run_task(a_task(), store, stage_of=raising(MemoryError())).on_gpu
    assert run_task(a_task(), store, stage_of=raising(CorruptArtifactError("x", key="ab"))).damaged == "ab"


def test_a_store_that_fails_is_a_transient_fault(store, monkeypatch):
    def lost(*_):
        raise OSError("stale file handle")

    monkeypatch.setattr(store, "commit", lost)
    assert run_task(a_task(), store, stage_of=returning(PRODUCT)).cause is Cause.TRANSIENT


def test_a_measurement_that_is_not_a_number_is_never_committed(store):
    outcome = run_task(a_task(), store, stage_of=returning(Product(measurements={"loss": float("nan")})))
    assert isinstance(outcome, Failed)
    assert not store.has(a_task().key)


def test_an_input_that_is_gone_has_to_be_made_again(store):
    key = "ab" + "0" * 30
    outcome = run_task(scoring(key), store)
    assert (outcome.cause, outcome.damaged) == (Cause.CORRUPT, key)
    assert f"artifact {key}, which this task reads, is gone" in outcome.message


def test_an_input_whose_measurements_are_asked_for_and_gone_has_to_be_made_again(store):
    outcome = run_task(
        a_task(inputs={"network": "ab"}),
        store,
        stage_of=lambda stage: lambda context: context.network(context.params.network).measured,
    )
    assert (outcome.cause, outcome.damaged) == (Cause.CORRUPT, "ab")


def commit(store, key, files):
    store.commit(Manifest(key=key, stage="train", identity={}, measurements={}), files)


def test_a_damaged_input_is_named(store):
    commit(store, "cd01", {"channels.json": b"{}"})
    (blob,) = (each for each in Path(store.uri, "blobs").rglob("*") if each.is_file())
    blob.write_bytes(b"{ ")
    outcome = run_task(scoring("cd01"), store)
    assert (outcome.cause, outcome.damaged) == (Cause.CORRUPT, "cd01")


def test_an_input_without_the_file_asked_for_is_not_made_again(store):
    # It would have none the next time either.
    commit(store, "cd01", {"other.json": b"{}"})
    outcome = run_task(scoring("cd01"), store)
    assert (outcome.cause, outcome.damaged) == (Cause.TRANSIENT, "")


def test_a_manifest_that_is_damaged_is_put_aside_and_the_task_runs(store, caplog):
    task = a_task()
    run_task(task, store, stage_of=returning(PRODUCT))
    (manifest,) = Path(store.uri, "manifests").rglob("*.json")
    manifest.write_bytes(manifest.read_bytes()[:-9])
    outcome = run_task(task, store, stage_of=returning(PRODUCT))
    assert isinstance(outcome, Succeeded)
    assert not outcome.reused
    assert store.manifest(task.key).measurements == {"accuracy": 0.5}
    assert "quarantined, and recomputed" in caplog.text


def test_the_attempt_says_what_it_used(store):
    def run(context):
        with mmap.mmap(-1, 150 * 2**20) as block:  # fresh pages, whatever free memory the process has at hand
            block.write(bytes(150 * 2**20))
        return PRODUCT

    first = run_task(a_task(), store, stage_of=lambda stage: run)
    second = run_task(a_task(seed=4), store, stage_of=returning(PRODUCT))
    failed = run_task(a_task(seed=5), store, stage_of=raising(RuntimeError("bug")))
    assert first.usage.memory_bytes - second.usage.memory_bytes > 100 * 2**20
    assert failed.usage.memory_bytes > 0
    assert (first.usage.gpu_fraction, failed.usage.gpu_fraction) == (0, 0)


def test_an_artifact_that_was_there_used_nothing(store):
    run_task(a_task(), store, stage_of=returning(PRODUCT))
    assert run_task(a_task(), store, stage_of=returning(PRODUCT)).usage.memory_bytes == 0


def counting(ending):
    """A stage that goes on from the number it kept, keeps the next one, and ends in this way."""

    def run(context):
        found = []
        context.checkpoint.resume(lambda progress: found.append(progress.record["number"]))
        number = found[0] if found else 0
        context.checkpoint.save(Progress(where="a step", tensors={}, record={"number": number + 1}))
        if isinstance(ending, Exception):
            raise ending
        return Product(measurements={"number": number})

    return lambda stage: run


@pytest.mark.parametrize("error", [CancelledError("stop"), MemoryError(), TimeoutError("disk"), UnfitMachineError("x")])
def test_a_task_that_will_be_tried_again_keeps_its_checkpoint(store, error):
    for _ in range(2):
        run_task(a_task(), store, stage_of=counting(error))
    assert run_task(a_task(), store, stage_of=counting(None)).measurements == {"number": 2}


@pytest.mark.parametrize("error", [BadInputError("x"), BadNumericsError("nan"), RuntimeError("bug"), None])
def test_a_task_that_is_over_leaves_no_checkpoint(store, error):
    run_task(a_task(), store, stage_of=counting(error))
    assert store.load_checkpoint(a_task().key) is None


def test_a_task_whose_sweep_was_taken_over_leaves_its_checkpoint_to_the_other(store):
    outcome = run_task(a_task(), store, may_commit=lambda: False, stage_of=counting(None))
    assert outcome.cause is Cause.CANCELLED
    assert store.load_checkpoint(a_task().key) is not None


def test_a_checkpoint_that_cannot_be_dropped_does_not_undo_the_success(store, monkeypatch):
    def away(key):
        raise OSError("stale file handle")

    monkeypatch.setattr(store, "drop_checkpoint", away)
    assert isinstance(run_task(a_task(), store, stage_of=counting(None)), Succeeded)
    assert store.has(a_task().key)


def test_a_stage_that_keeps_nothing_asks_the_store_for_nothing(store, monkeypatch):
    for name in ("load_checkpoint", "save_checkpoint", "drop_checkpoint"):
        monkeypatch.setattr(store, name, lambda *_: pytest.fail("asked"))
    assert isinstance(run_task(a_task(), store, stage_of=returning(PRODUCT)), Succeeded)


def test_a_keyboard_interrupt_passes_through(store):
    with pytest.raises(KeyboardInterrupt):
        run_task(a_task(), store, stage_of=raising(KeyboardInterrupt()))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without GPU")
def test_a_task_planned_for_a_gpu_says_what_to_do_without_one(store):
    task = a_task(environment={"torch": "any", "dtype": "float32", "device": "cuda"})
    outcome = run_task(task, store, stage_of=returning(PRODUCT))
    assert outcome.cause is Cause.UNFIT_MACHINE
    assert "this worker sees no GPU; set device: cpu" in outcome.message


def rival(store, product, **changes):
    """A stage that another worker outruns: when it ends, an artifact is there."""

    def run(context):
        manifest = Manifest(
            key=context.task.key,
            stage="score",
            identity={},
            measurements=product.measurements,
            host="rival",
            **{"versions": versions(), "processor": processor(context.device), **changes},
        )
        assert store.commit(manifest, product.files) is Commit.FIRST
        return PRODUCT

    return lambda stage: run


def test_the_same_result_from_two_workers_is_no_event(store, caplog):
    outcome = run_task(a_task(), store, stage_of=rival(store, PRODUCT))
    assert isinstance(outcome, Succeeded)
    assert caplog.records == []
    assert (outcome.deviation, outcome.nondeterministic) == ("", False)
    assert store.manifest(a_task().key).host == "rival"


@pytest.mark.parametrize(
    "first",
    [
        Product(measurements={"accuracy": 0.4}, files=PRODUCT.files),
        Product(measurements=PRODUCT.measurements, files={"a.json": json.dumps([2]).encode()}),
    ],
    ids=["measurements", "files"],
)
def test_another_result_is_flagged_and_the_first_one_stands(store, caplog, first):
    outcome = run_task(a_task(), store, stage_of=rival(store, first))
    assert isinstance(outcome, Succeeded)
    assert outcome.measurements == first.measurements
    assert store.read(a_task().key, "a.json") == first.files["a.json"]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"score {a_task().key} gave another result" in record.getMessage()


CLOSE = Product(measurements={"accuracy": 0.5 + 1e-9}, files=PRODUCT.files)


def test_another_result_on_the_same_kind_of_processor_is_nondeterminism(store):
    outcome = run_task(a_task(), store, stage_of=rival(store, CLOSE))
    assert outcome.nondeterministic
    assert "measurements by 2e-09 (accuracy)" in outcome.deviation
    assert outcome.deviation in Path(outcome.log).read_text()


def test_another_result_on_another_processor_is_rounding(store):
    outcome = run_task(a_task(), store, stage_of=rival(store, CLOSE, processor={"cpu": "another"}))
    assert not outcome.nondeterministic
    assert "another cpu (another | " in outcome.deviation
    assert "rounding differs there" in outcome.deviation


def test_a_first_result_that_cannot_be_read_does_not_undo_the_success(store, monkeypatch):
    def damaged(key, name):
        raise CorruptArtifactError("changed", key=key)

    monkeypatch.setattr(store, "read", damaged)
    outcome = run_task(a_task(), store, stage_of=rival(store, CLOSE))
    assert isinstance(outcome, Succeeded)
    assert "a.json in more than numbers" in outcome.deviation
