"""How attempts are printed: line by line, and after a small real sweep whose stages fail on demand."""

import json
import sys

import pytest
import torch
from store_suite import blob_of, flip

import workers.stages
from jobs.task import StageKind
from orchestrator.cli import main
from orchestrator.commands.story_text import story_lines
from orchestrator.status import past_attempts, story_of
from orchestrator.store import open_store

START = {"kind": "start", "at_s": 1.0, "term": 1}
HALF = {"num_cpus": 2.0, "num_gpus": 0.5, "memory_bytes": 2**30}


def entry(kind: str, number: int, **fields):
    common = {"key": "k", "stage": "tune", "label": "net", "attempt": number, "duration_s": 2.0, "host": "h"}
    return {"kind": kind, "at_s": float(number), **common, "node": "n", "log": "", "resources": HALF, **fields}


def failed(number: int, cause="preempted", retry=None, reason="", final=False, **fields):
    changes = {"cause": cause, "message": "it broke", "retry": retry, "reason": reason, "final": final}
    return entry("failed", number, **changes, **fields)


def again(delay_s=0.0, avoid=(), damaged="", **resources):
    return {"delay_s": delay_s, "resources": HALF | resources, "damaged": damaged, "avoid": list(avoid)}


def told(*entries, key="k") -> list[str]:
    return list(story_lines(story_of(key, past_attempts("s", [START, *entries]))))


def followed(*entries) -> list[str]:
    return [line.removeprefix("  then: ") for line in told(*entries) if line.startswith("  then: ")]


def test_an_attempt_is_told_in_full():
    assert told(entry("succeeded", 1, reused=False, memory_bytes=3 * 2**29, log="/x.log")) == [
        "story of tune net: 1 attempt in 1 run",
        "attempt 1 in run 1 of s: succeeded on h (node n) after 2.0 s, 1970-01-01 00:00:01 UTC",
        "  asked for 2 CPU, 0.5 GPU, 1.0 GiB, used 1.5 GiB of memory",
        "  log: /x.log",
    ]


def test_nothing_is_told_where_nothing_happened():
    assert told(key="other") == []


def test_a_reused_result_is_no_success_of_this_attempt():
    assert ": cache hit on h" in told(entry("succeeded", 1, reused=True))[1]


def test_what_followed_is_told_for_every_kind_of_retry():
    assert followed(
        failed(1, retry=again()),
        failed(2, "transient", retry=again(delay_s=1.26)),
        failed(3, "out_of_memory", retry=again(memory_bytes=2**31)),
        failed(4, "out_of_memory", retry=again(num_gpus=1.0)),
        failed(5, retry=again(avoid=["n1", "n2"])),
        failed(6, "corrupt", retry=again(delay_s=1.25, damaged="ab" + "0" * 30)),
        failed(7, "out_of_memory", retry=again(memory_bytes=2**31), resources=HALF | {"memory_bytes": 0}),
    ) == [
        "another attempt at once",
        "another attempt after a delay of 1.3 s",
        "another attempt at once, with 2.0 GiB of memory instead of 1.0 GiB",
        "another attempt at once, with 1 GPU instead of 0.5",
        "another attempt at once, avoiding node n1, n2",
        "another attempt after a delay of 1.2 s, once its damaged input ab0000000000 is recomputed",
        "another attempt at once, with 2.0 GiB of memory instead of none reserved",
    ]


def test_what_was_not_tried_again_says_why():
    assert followed(failed(1, reason="the run was stopped"), failed(2, final=True, reason="no more")) == [
        "left to the next run: the run was stopped",
        "no other attempt: no more",
    ]


def test_a_run_that_ended_before_its_retry_says_so():
    lines = told(failed(1, retry=again()), START, entry("succeeded", 2, reused=False))
    assert "  then: another attempt at once; that run ended before it" in lines
    assert lines[-2].startswith("attempt 2 in run 2 of s: succeeded")


def test_a_story_without_an_end_says_so():
    assert told(failed(1, retry=again()))[-1] == "no later attempt has ended"
    assert told(failed(1, final=True, reason="no more"))[-1] == "  then: no other attempt: no more"
    assert "no later attempt has ended" not in told(failed(1, retry=again()), entry("succeeded", 2, reused=False))


def test_a_damaged_artifact_says_who_found_it():
    found = failed(1, "corrupt", retry=again(damaged="made")) | {"key": "reader"}
    assert told(found, key="made") == [
        "story: 0 attempts in 0 runs",
        "found damaged by attempt 1 in run 1 of s of tune net (reader), 1970-01-01 00:00:01 UTC: recomputed",
    ]


@pytest.fixture
def orchard(capsys, tmp_path, monkeypatch):
    """Runs the command in a folder of its own; gives its exit code and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    torch.set_num_threads(1)

    def run(*arguments: object) -> tuple[int, str]:
        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        return code, capsys.readouterr().out

    return run


@pytest.fixture
def faults(monkeypatch, tmp_path):
    """What the next attempts of a stage meet, by stage: an error, or damage done to the input that they read."""
    kept: dict[StageKind, list] = {}
    real = workers.stages.stage_function

    def stage_function(stage):
        def run(context):
            fault = kept[stage].pop(0) if kept.get(stage) else None
            if isinstance(fault, Exception):
                raise fault
            if fault == "damage":
                store = open_store(tmp_path / "store")
                flip(store, blob_of(store, context.task.inputs["network"], "weights.safetensors"))
            return real(stage)(context)

        return run

    monkeypatch.setattr(workers.stages, "stage_function", stage_function)
    return kept


@pytest.mark.slow
class TestASweepWithFaults:
    """One dense curve: train, then evaluate."""

    @pytest.fixture
    def path(self, tiny_sweep, write_sweep, database):
        return write_sweep({**tiny_sweep, "methods": {"dense": {"kind": "dense"}}})

    @pytest.fixture
    def keys(self, orchard, path) -> dict[str, str]:
        tasks = json.loads(orchard("plan", path, "--json")[1])["tasks"]
        return {task["stage"]: task["key"] for task in tasks}

    def test_explain_and_status_tell_why_tasks_ran_again(self, orchard, path, keys, faults, tmp_path):
        faults[StageKind.TRAIN] = [MemoryError("no memory left"), OSError("the disk is away")]
        faults[StageKind.EVALUATE] = ["damage"]
        assert orchard("run", path, "--backend", "inline")[0] == 0
        storage = ("--storage", tmp_path / "store")
        lines = orchard("explain", keys["train"], *storage)[1].splitlines()
        story = lines[lines.index(next(line for line in lines if line.startswith("story of train net"))) :]
        heads = [line.split(" on ")[0] for line in story if line.startswith("attempt ")]
        # Twice it failed; its result was found damaged by the evaluation; the attempt after the retries made it anew.
        assert heads == [
            "attempt 1 in run 1 of tiny: failed (out_of_memory)",
            "attempt 2 in run 1 of tiny: failed (transient)",
            "attempt 3 in run 1 of tiny: succeeded",
            "attempt 1 in run 1 of tiny: succeeded",
        ]
        assert any("at once, with" in line and "GiB of memory instead of none reserved" in line for line in story)
        assert any("then: another attempt after a delay of" in line for line in story)
        assert any(line.startswith("found damaged by attempt 1 in run 1 of tiny of evaluate") for line in story)

        out = orchard("status", "tiny", "--retries", *storage)[1]
        assert "3 attempts failed and were retried" in out
        rows = [line for line in out.splitlines() if " UTC " in line]
        assert [row.split(" UTC ")[1].split()[0] for row in rows] == ["train", "train", "evaluate"]
        assert f"once its damaged input {keys['train'][:12]} is recomputed" in rows[2]

        listed = json.loads(orchard("status", "tiny", "--retries", "--json", *storage)[1])["retries"]
        assert [each["cause"] for each in listed] == ["out_of_memory", "transient", "corrupt"]
        assert listed[0]["decision"]["retry"]["resources"]["memory_bytes"] >= 2**30
        assert listed[1]["resources"] == listed[0]["decision"]["retry"]["resources"]

    def test_a_task_that_failed_for_good_is_told_of_without_its_sweep(self, orchard, path, keys, faults, tmp_path):
        faults[StageKind.TRAIN] = [ValueError("a slip")]
        assert orchard("run", path, "--backend", "inline")[0] == 1
        code, out = orchard("explain", keys["train"][:8], "--storage", tmp_path / "store")
        assert code == 0
        assert f"{keys['train']}: not in the store; with --sweep" in out
        assert "then: no other attempt: failures of this kind (bug) are not retried" in out
        assert orchard("run", path, "--backend", "inline")[0] == 0
        out = orchard("logs", keys["train"], "--storage", tmp_path / "store")[1]
        assert out.startswith("story of train net")
        assert "attempt 1 in run 2 of tiny: succeeded" in out
        assert "ValueError: a slip" in out.split("== attempt 1 in run 1 of tiny: ")[1]
