import pytest
import torch

from workers.attempt import usage

MIB = 2**20
CPU = torch.device("cpu")


def test_the_peak_is_seen_after_the_memory_is_given_back():
    usage.start_measuring()
    before = usage.measured(CPU).memory_bytes
    block = bytearray(200 * MIB)
    del block
    assert 190 * MIB < usage.measured(CPU).memory_bytes - before < 300 * MIB


def test_the_peak_of_an_earlier_attempt_does_not_count():
    usage.start_measuring()
    block = bytearray(200 * MIB)
    del block
    peak = usage.measured(CPU).memory_bytes
    usage.start_measuring()
    assert usage.measured(CPU).memory_bytes < peak - 150 * MIB


def test_where_the_system_refuses_the_peak_is_that_of_the_process(monkeypatch, tmp_path):
    monkeypatch.setattr(usage, "_CLEAR_REFS", str(tmp_path / "no such file"))
    block = bytearray(200 * MIB)
    del block
    peak = usage.measured(CPU).memory_bytes
    usage.start_measuring()
    assert usage.measured(CPU).memory_bytes >= peak


@pytest.mark.parametrize("device", [CPU, None])
def test_without_a_gpu_no_share_of_it_is_used(device):
    assert usage.measured(device).gpu_fraction == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_share_of_the_gpu_is_the_peak_and_comes_back():
    device = torch.device("cuda")
    usage.start_measuring_gpu(device)
    total = torch.cuda.get_device_properties(device).total_memory
    block = torch.empty(512 * MIB, dtype=torch.uint8, device=device)
    del block
    assert usage.measured(device).gpu_fraction >= 512 * MIB / total
    usage.start_measuring_gpu(device)
    assert usage.measured(device).gpu_fraction < 512 * MIB / total
