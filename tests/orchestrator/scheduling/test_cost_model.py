import pytest
from plain_tasks import plain_task

from jobs.outcome import Usage
from jobs.resources import Resources
from jobs.stages.table import StageKind
from orchestrator.scheduling.cost_model import CostModel


def task(stage=StageKind.EVALUATE, family="net", work=1.0, **resources):
    asked = Resources(**resources)
    return plain_task(stage, resources=asked, family=family, work=work)


def after(*seen, stage=StageKind.EVALUATE, family="net", work=1.0):
    cost_model = CostModel()
    for duration_s, gpu_fraction in seen:
        cost_model.observe(stage, family, duration_s=duration_s, work=work, usage=Usage(gpu_fraction=gpu_fraction))
    return cost_model


def test_nothing_is_expected_where_nothing_was_seen():
    cost_model = after((3.0, 0.0))
    assert cost_model.expected_s(task(family="other")) == 0.0
    assert cost_model.expected_s(task(StageKind.TUNE)) == 0.0
    assert cost_model.path_s(task(family="other")) > 0


def test_the_mean_of_its_like_is_expected():
    assert after((3.0, 0.0), (5.0, 0.0)).expected_s(task()) == 4.0


def test_twice_the_work_is_expected_to_take_twice_the_time():
    assert after((3.0, 0.0), work=10.0).expected_s(task(work=20.0)) == 6.0


@pytest.mark.parametrize(
    ("peak", "asked"),
    [
        (0.01, 1 / 16),  # never less than a sixteenth
        (0.30, 6 / 16),  # 0.375 with a quarter more
        (0.95, 1.0),
    ],
)
def test_a_gpu_request_is_the_largest_peak_and_a_quarter_more(peak, asked):
    cost_model = after((1.0, 0.005), (1.0, peak))
    assert cost_model.resources(task(num_gpus=0.25, adaptive=True)).num_gpus == asked


def test_what_the_user_asked_for_stays():
    assert after((1.0, 0.01)).resources(task(num_gpus=0.5)) == Resources(num_gpus=0.5)


def test_a_cpu_task_gets_no_gpu():
    assert after((1.0, 0.5)).resources(task(adaptive=True)).num_gpus == 0.0
