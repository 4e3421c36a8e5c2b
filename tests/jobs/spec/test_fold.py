import pytest
from pydantic import ValidationError

from jobs.spec.compatibility import method_conflict
from jobs.spec.fold import FoldMethod
from jobs.spec.protocols import RecalibrateProtocol, RewindProtocol


def test_an_allocation_that_ranks_scores_is_refused():
    with pytest.raises(ValidationError, match="needs scores, and folding scores no channels; use another one"):
        FoldMethod(kind="fold", allocation="global")


def test_norms_can_be_recalibrated_where_they_are_kept():
    protocol = RecalibrateProtocol(kind="recalibrate")
    assert "set its batchnorm: keep" in method_conflict(protocol, FoldMethod(kind="fold"))
    assert method_conflict(protocol, FoldMethod(kind="fold", batchnorm="keep")) is None
    assert method_conflict(protocol, FoldMethod(kind="fold"), trained=True) is None  # they have come back


def test_there_is_no_training_to_rewind():
    conflict = method_conflict(RewindProtocol(kind="rewind", what="weights", epoch=1), FoldMethod(kind="fold"))
    assert "fine-tune instead" in conflict


def test_an_allocation_of_functions_is_for_integral_methods():
    with pytest.raises(ValidationError, match="only the channels of integral methods are samples"):
        FoldMethod(kind="fold", allocation="spectrum")
