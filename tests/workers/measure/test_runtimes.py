import time

import pytest
import torch
from torch import nn

from jobs.errors import CancelledError
from workers.measure import measure_latency

CPU = torch.device("cpu")


class Sleeper(nn.Module):
    """Takes one of these times after the other, in seconds."""

    def __init__(self, *times: float) -> None:
        super().__init__()
        self.times = list(times)
        self.shapes = []

    def forward(self, x):
        self.shapes.append(tuple(x.shape))
        time.sleep(self.times.pop(0))
        return x


def measure(model, **changes):
    settings = {"batch_size": 1, "warmup": 1, "repeats": 10, "device": CPU, "should_stop": lambda: False}
    return measure_latency(model, (3,), **{**settings, **changes})


def test_percentiles_are_of_the_passes_after_the_warm_up():
    # The slow first pass is warm-up. Of ten passes five are quick, four slow, one very slow.
    found = measure(Sleeper(0.5, *[0.0] * 5, *[0.05] * 4, 0.2))
    assert found.p50_s < 0.05 <= found.p90_s < 0.2
    assert found.mean_s >= (4 * 0.05 + 0.2) / 10


def test_every_pass_has_the_whole_batch_in_evaluation_mode():
    model = Sleeper(*[0.0] * 3).train()
    measure(model, batch_size=4, repeats=2)
    assert model.shapes == [(4, 3)] * 3
    assert model.training


def test_on_a_cpu_nothing_tells_the_energy():
    assert measure(nn.Identity()).energy_j is None


def test_it_stops_on_request():
    with pytest.raises(CancelledError, match="after 0 passes"):
        measure(nn.Identity(), should_stop=lambda: True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_a_pass_ends_with_its_result():
    model = nn.Linear(4096, 4096)
    found = measure_latency(
        model, (4096,), batch_size=4096, warmup=3, repeats=5, device=torch.device("cuda"), should_stop=lambda: False
    )
    assert found.p50_s > 1e-4  # 137 GFLOP take longer than the launch alone
