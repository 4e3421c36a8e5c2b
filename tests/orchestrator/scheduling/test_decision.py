import json

import pytest
from plain_tasks import plain_task

from jobs.outcome import Cause, Failed
from jobs.resources import Resources
from jobs.stages.table import StageKind
from jobs.task import Attempt
from orchestrator.scheduling.decision import Decision, decide
from orchestrator.scheduling.retry import RETRIES, Retry

GIB = 2**30
TASK = plain_task(StageKind.SCORE)


def decided(cause, *, count=1, resources=None, avoid=frozenset(), failure=None, **changes):
    attempt = Attempt(task=TASK, resources=resources or Resources(), avoid=avoid)
    failed = Failed(key=TASK.key, cause=cause, message="no", **(failure or {}))
    return decide(failed, count=count, attempt=attempt, **changes)


def test_out_of_memory_is_tried_again_with_twice_the_memory():
    decision = decided(Cause.OUT_OF_MEMORY, resources=Resources(memory_bytes=4 * GIB))
    assert decision == Decision(final=False, retry=Retry(delay_s=0.0, resources=Resources(memory_bytes=8 * GIB)))


def test_a_transient_fault_is_tried_again_later_with_the_same_request():
    retry = decided(Cause.TRANSIENT).retry
    assert 0.5 <= retry.delay_s <= 1.5  # one second, jittered by a half
    assert retry.resources == Resources()


def test_only_the_nodes_that_are_newly_avoided_are_named():
    decision = decided(Cause.PREEMPTED, avoid=frozenset({"a"}), avoided=frozenset({"c", "b", "a"}))
    assert decision.avoid == ("b", "c")


def test_a_damaged_input_is_named_and_made_again_first():
    decision = decided(Cause.CORRUPT, failure={"damaged": "ab"})
    assert (decision.final, decision.damaged) == (False, "ab")


@pytest.mark.parametrize(
    ("cause", "changes", "reason"),
    [
        (Cause.BUG, {}, "failures of this kind (bug) are not retried"),
        (Cause.TRANSIENT, {"count": RETRIES[Cause.TRANSIENT] + 1}, "it has failed 6 times for this cause"),
        (Cause.CORRUPT, {"damaged_is_ours": False}, "no task of this sweep computes the damaged input"),
        (
            Cause.OUT_OF_MEMORY,
            {"count": RETRIES[Cause.OUT_OF_MEMORY], "resources": Resources(num_gpus=1.0), "failure": {"on_gpu": True}},
            "it had a whole GPU",  # though its budget of retries allowed one more
        ),
        (
            Cause.OUT_OF_MEMORY,
            {"resources": Resources(memory_bytes=GIB), "memory_limit_bytes": GIB},
            "it had all memory of the largest node",
        ),
    ],
)
def test_what_is_final_says_why(cause, changes, reason):
    assert decided(cause, **changes) == Decision(final=True, reason=reason)


@pytest.mark.parametrize("cause", [Cause.CANCELLED, Cause.TRANSIENT, Cause.CORRUPT])
def test_what_a_stopped_run_cuts_short_is_left_to_the_next(cause):
    assert decided(cause, stopped="cancelled") == Decision(final=False, reason="the run was stopped (cancelled)")


def test_a_bug_is_final_in_a_stopped_run_too():
    assert decided(Cause.BUG, stopped="cancelled").final


@pytest.mark.parametrize(
    "decision",
    [
        Decision(final=True, reason="why"),
        Decision(final=False, reason="the run was stopped"),
        Decision(
            final=False,
            retry=Retry(
                delay_s=1.25, resources=Resources(num_cpus=2.0, num_gpus=4, memory_bytes=GIB, processes=4, nodes=2)
            ),
            damaged="ab",
            avoid=("n1", "n2"),
        ),
    ],
)
def test_a_decision_survives_the_journal(decision):
    assert Decision.from_json(json.loads(json.dumps(decision.to_json()))) == decision


def test_an_entry_from_before_there_were_decisions_says_only_whether_it_was_final():
    assert Decision.from_json({"kind": "failed", "final": True}) == Decision(final=True)
    assert Decision.from_json({"kind": "failed", "final": False}) == Decision(final=False)
