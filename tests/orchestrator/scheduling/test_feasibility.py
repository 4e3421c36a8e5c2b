import re
from dataclasses import replace

import pytest

from jobs.errors import BadInputError
from jobs.resources import Resources
from jobs.stages.table import StageKind
from orchestrator.backends import NodeKind
from orchestrator.scheduling.feasibility import check_feasible, memory_limit

HEAD = NodeKind(name="head", cpus=0, gpus=0)
GPU = NodeKind(name="gpu_spot", cpus=8, gpus=1, memory_bytes=32 * 2**30, count=64)


def check(*, kinds=(HEAD, GPU), **asked):
    check_feasible([(StageKind.TUNE, Resources(**asked))], kinds)


def test_what_fits_a_node_that_could_be_started_is_feasible():
    check(num_cpus=8, num_gpus=1, memory_bytes=32 * 2**30)


@pytest.mark.parametrize("asked", [{"num_gpus": 2.0}, {"num_cpus": 9.0}, {"memory_bytes": 33 * 2**30}])
def test_what_fits_no_node_is_refused_with_the_nodes_that_were_considered(asked):
    with pytest.raises(BadInputError, match=r"resources\.tune: asks for") as caught:
        check(**asked)
    assert "gpu_spot (64 at most): 8 CPUs, 1 GPUs, 32.0 GiB" in str(caught.value)
    assert "head" in str(caught.value)


def test_a_task_on_several_nodes_needs_as_many_that_fit_its_share():
    check(num_cpus=16, num_gpus=2, nodes=2)
    check(num_cpus=8, nodes=2, kinds=[NodeKind(name="any", cpus=4, gpus=0, count=0)])
    with pytest.raises(BadInputError, match="16 CPUs, 2 GPUs, on 2 nodes together"):
        check(num_cpus=16, num_gpus=2, nodes=2, kinds=[replace(GPU, count=1)])
    with pytest.raises(BadInputError, match="64 nodes together"):
        check(num_cpus=1024, nodes=64, kinds=[GPU])


def test_memory_of_unknown_size_fits_everything():
    check(memory_bytes=2**50, kinds=[NodeKind(name="any", cpus=1, gpus=0)])


def test_every_unmet_request_is_listed_once():
    requests = [(stage, Resources(num_gpus=1.0)) for stage in (StageKind.TUNE, StageKind.TUNE, StageKind.SENSE)]
    with pytest.raises(BadInputError) as caught:
        check_feasible(requests, kinds=[])
    assert re.findall(r"resources\.\w+", str(caught.value)) == ["resources.tune", "resources.sense"]


def test_memory_ends_where_no_node_with_the_same_gpus_has_more():
    large = NodeKind(name="large", cpus=64, gpus=0, memory_bytes=512 * 2**30)
    assert memory_limit(Resources(num_gpus=1.0, memory_bytes=2**50), [GPU, large]) == GPU.memory_bytes
    assert memory_limit(Resources(num_gpus=2.0, nodes=2), [GPU, large]) == 2 * GPU.memory_bytes
    assert memory_limit(Resources(), [GPU, large]) == large.memory_bytes
    assert memory_limit(Resources(num_gpus=4.0), [GPU, large]) == 0
