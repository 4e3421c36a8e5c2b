import pytest
from pydantic import TypeAdapter, ValidationError

from jobs.spec.resources import ResourcesSpec, StagesSpec

STAGES = TypeAdapter(StagesSpec)


@pytest.mark.parametrize(
    ("asked", "processes"),
    [
        ({}, 1),
        ({"num_gpus": 0.5}, 1),
        ({"num_gpus": 1}, 1),
        ({"num_gpus": 4}, 4),
        ({"num_gpus": 4, "processes": 4}, 4),
        ({"processes": 2}, 2),
        ({"processes": 2, "num_gpus": 0}, 2),
    ],
)
def test_there_is_a_process_for_each_gpu_or_as_many_as_are_asked_for(asked, processes):
    assert ResourcesSpec(**asked).num_processes == processes


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"num_gpus": 2.5}, "2.5 is neither a whole number nor a part of one GPU"),
        ({"num_gpus": 4, "processes": 2}, "2 processes on 4 GPUs"),
        ({"num_gpus": 0.5, "processes": 2}, "2 processes on 0.5 GPUs"),
        ({"num_gpus": 3, "nodes": 2}, "3 processes on 2 nodes: each node has as many"),
        ({"nodes": 2}, "1 processes on 2 nodes"),
        ({"processes": 0}, "greater than or equal to 1"),
    ],
)
def test_gpus_that_no_process_could_use_are_refused(asked, text):
    with pytest.raises(ValidationError, match=text):
        ResourcesSpec(**asked)


@pytest.mark.parametrize("asked", [{"num_gpus": 2}, {"processes": 2}])
def test_only_training_uses_several(asked):
    assert STAGES.validate_python({"train": asked})["train"].num_processes == 2
    with pytest.raises(ValidationError, match="evaluate: num_gpus and processes are at most 1; only train"):
        STAGES.validate_python({"train": asked, "evaluate": asked})
