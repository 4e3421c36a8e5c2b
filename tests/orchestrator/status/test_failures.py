"""Equal failures in one line."""

from jobs.outcome import Cause
from jobs.stages.table import StageKind
from orchestrator.status import TaskFailure, equal_failures


def failure(label: str, message="it broke", log="") -> TaskFailure:
    return TaskFailure(key=label, stage=StageKind.PRUNE, label=label, cause=Cause.BUG, message=message, log=log)


def test_one_failure_is_told_with_its_label():
    (told,) = equal_failures([failure("net/l1@20%/seed0", log="/1.log")])
    assert (told.line, told.log) == ("failed (bug): prune net/l1@20%/seed0: it broke", "/1.log")


def test_equal_ones_are_counted_by_model_and_method_and_have_one_log():
    labels = ["net/l1@20%/seed0", "net/l1@40%/seed0", "other/l1@20%/seed0"]
    (told,) = equal_failures([failure(label, log=log) for label, log in zip(labels, ("", "/2", "/3"), strict=True)])
    assert (told.line, told.log) == ("failed (bug): 3 x prune net/l1 (2), other/l1: it broke", "/2")


def test_others_stand_apart_and_of_many_methods_few_are_named():
    told = equal_failures([failure("net/l1@20%/seed0", "other"), *(failure(f"net/m{n}@20%/seed0") for n in range(6))])
    assert [each.message for each in told] == ["other", "it broke"]
    assert told[1].what == "6 x prune net/m0, net/m1, net/m2, net/m3 and 2 more"
