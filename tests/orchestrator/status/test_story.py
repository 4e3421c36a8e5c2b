"""The story of a task and the retries of a sweep, from hand-written journals, old ones among them."""

import json

from jobs.resources import Resources
from orchestrator.scheduling.decision import Decision
from orchestrator.scheduling.retry import Retry
from orchestrator.status import past_attempts, related_keys, retries_of, story_of

GIB = 2**30
START = {"kind": "start", "at_s": 1.0, "term": 1}
COUNTS = {"kind": "counts", "at_s": 1.0, "stages": {}}
ASKED = {"num_cpus": 1.0, "num_gpus": 0.0, "memory_bytes": 0}


def ended(kind: str, at_s: float, key: str, **fields):
    """An entry as it was written before there were decisions."""
    common = {"key": key, "stage": "train", "label": "net", "attempt": 1, "duration_s": 2.0, "host": "h", "log": ""}
    return {"kind": kind, "at_s": at_s, **common, **fields}


def success(at_s: float, key="k", **fields):
    return ended("succeeded", at_s, key, reused=False, **fields)


def failure(at_s: float, key="k", cause="out_of_memory", final=False, **fields):
    return ended("failed", at_s, key, cause=cause, message="it broke", final=final, **fields)


def again(delay_s=0.0, memory_bytes=0, damaged="", avoid=()):
    return {
        "delay_s": delay_s,
        "resources": ASKED | {"memory_bytes": memory_bytes},
        "damaged": damaged,
        "avoid": list(avoid),
    }


def story(*entries, key="k", sweep="s"):
    return story_of(key, past_attempts(sweep, entries))


def test_an_attempt_is_told_with_its_run_its_request_and_what_followed():
    entry = failure(5.0, resources=ASKED, retry=again(memory_bytes=GIB), reason="", node="n", memory_bytes=7)
    (attempt,) = story(START, COUNTS, entry).attempts
    assert (attempt.sweep, attempt.run, attempt.number, attempt.cause) == ("s", 1, 1, "out_of_memory")
    assert (attempt.host, attempt.node, attempt.duration_s, attempt.used_memory_bytes) == ("h", "n", 2.0, 7)
    assert attempt.resources == Resources()
    assert attempt.decision == Decision(final=False, retry=Retry(delay_s=0.0, resources=Resources(memory_bytes=GIB)))


def test_runs_are_counted_and_other_tasks_are_left_out():
    attempts = story(START, failure(2.0), success(3.0, key="other"), START, success(4.0)).attempts
    assert [(each.run, each.cause, each.key) for each in attempts] == [(1, "out_of_memory", "k"), (2, "", "k")]


def test_a_retry_that_its_run_did_not_live_to_make_is_cut_short():
    retried = failure(2.0, resources=ASKED, retry=again(), reason="")
    for later, cut in ([success(3.0)], False), ([START, success(3.0)], True), ([], False):
        told = story(START, retried, *later)
        assert [told.cut_short(each) for each in told.attempts] == [cut, False][: 1 + bool(later)]
    told = story(START, failure(2.0, final=True, resources=ASKED, retry=None, reason="no"), START, success(3.0))
    assert not told.cut_short(told.attempts[0])


def test_attempts_of_several_sweeps_stand_in_the_order_of_time():
    first = past_attempts("a", [START, failure(2.0), success(9.0)])
    second = past_attempts("b", [START, success(5.0)])
    assert [(each.sweep, each.ended_s) for each in story_of("k", [*first, *second]).attempts] == [
        ("a", 2.0),
        ("b", 5.0),
        ("a", 9.0),
    ]


def test_a_damaged_artifact_knows_who_found_it():
    reader = failure(3.0, key="reader", cause="corrupt", resources=ASKED, retry=again(damaged="k"), reason="")
    (found,) = past_attempts("s", [reader])
    assert related_keys(found) == ("reader", "k")
    told = story(success(2.0), reader, success(4.0))
    assert [each.ended_s for each in told.attempts] == [2.0, 4.0]
    assert [each.key for each in told.damage] == ["reader"]


def test_an_attempt_is_part_of_its_own_story_only_where_nothing_was_damaged():
    (attempt,) = past_attempts("s", [failure(1.0, resources=ASKED, retry=again(), reason="")])
    assert related_keys(attempt) == ("k",)


def test_retries_are_the_failures_that_were_not_the_last_word_oldest_first():
    entries = [
        START,
        failure(5.0, key="b", resources=ASKED, retry=again(1.5), reason=""),
        failure(2.0, key="a", resources=ASKED, retry=None, reason="the run was stopped"),
        failure(3.0, key="c", final=True, resources=ASKED, retry=None, reason="why"),
        success(4.0),
    ]
    assert [each.key for each in retries_of(past_attempts("s", entries))] == ["a", "b"]


def test_an_old_journal_is_told_as_far_as_it_goes():
    attempt, last, done = story(START, failure(2.0), failure(3.0, final=True), success(4.0)).attempts
    assert (attempt.resources, attempt.node, attempt.decision) == (None, "", Decision(final=False))
    assert last.decision == Decision(final=True)
    assert (done.cause, done.decision) == ("", None)


def test_its_json_has_only_plain_values_and_the_decision_as_the_journal_has_it():
    retry = again(1.5, GIB, avoid=["n"])
    (attempt,) = past_attempts("s", [failure(2.0, resources=ASKED, retry=retry, reason="")])
    value = json.loads(json.dumps(attempt.to_json()))
    assert value["decision"] == {"final": False, "retry": retry, "reason": ""}
    assert value["resources"] == ASKED
    (old,) = past_attempts("s", [success(2.0)])
    assert (old.to_json()["resources"], old.to_json()["decision"]) == (None, None)
