import mmap
import time
from statistics import median

import pytest
import torch
from torch import nn

from jobs.errors import BadInputError, CancelledError
from workers.export.graph import write_onnx
from workers.measure.runtimes import (
    BLOCKS,
    grown_memory_bytes,
    mean_power_w,
    onnx_pass,
    threads_of,
    time_in_turn,
    torch_pass,
)

CPU = torch.device("cpu")


def timed(passes, *, warmup=0, repeats=20, should_stop=lambda: False):
    return time_in_turn(passes, warmup=warmup, repeats=repeats, device=CPU, should_stop=should_stop)


def test_passes_are_timed_in_blocks_in_turn():
    order = []
    found = timed({name: lambda name=name: order.append(name) for name in "ab"}, warmup=3, repeats=23)
    # 3 passes each to warm up, then in every block one untimed pass and two or three timed ones.
    blocks = [3, 3, 3, *[2] * 7]
    assert [len(block) for block in found["a"]] == blocks
    assert order == [*"aaabbb", *(each for length in blocks for each in "a" * (length + 1) + "b" * (length + 1))]


def test_few_passes_are_as_many_blocks():
    assert [len(block) for block in timed({"a": lambda: None}, repeats=3)["a"]] == [1, 1, 1]
    assert len(timed({"a": lambda: None}, repeats=BLOCKS + 1)["a"]) == BLOCKS


def test_the_times_are_those_of_the_passes():
    found = timed({"slow": lambda: time.sleep(0.01), "quick": lambda: None}, repeats=10)
    slow, quick = (median(each for block in found[name] for each in block) for name in ("slow", "quick"))
    assert quick < 0.005 < 0.01 <= slow


def test_it_stops_on_request():
    with pytest.raises(CancelledError, match="stopped on request"):
        timed({"a": lambda: None}, should_stop=lambda: True)


def test_a_pass_of_onnx_runtime_is_one_of_the_network():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)).eval()
    images = torch.rand(2, 1, 8, 8)
    (outputs,) = onnx_pass(write_onnx(model, (1, 8, 8)), images, threads=1)()
    torch.testing.assert_close(torch.from_numpy(outputs), torch_pass(model, images, "eager")())


@pytest.mark.slow
def test_a_compiled_pass_is_one_of_the_network():
    model, images = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval(), torch.rand(2, 8)
    torch.testing.assert_close(torch_pass(model, images, "compile")(), torch_pass(model, images, "eager")())
    torch.compiler.reset()


def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInputError, match=r"needs a C\+\+ compiler on the CPU; install g\+\+"):
        torch_pass(nn.Identity(), torch.rand(1, 2), "compile")


def test_threads_are_set_and_given_back():
    before = torch.get_num_threads()
    with threads_of(2) as threads:
        assert (threads, torch.get_num_threads()) == (2, 2)
    with threads_of(None) as threads:
        assert threads == before == torch.get_num_threads()


def test_memory_grows_by_what_a_pass_holds_at_once():
    def pages():
        """64 MiB from the system itself: torch's allocator may keep what is given back, if its heap has holes."""
        place = mmap.mmap(-1, 2**26)
        for start in range(0, len(place), mmap.PAGESIZE):
            place[start] = 1
        return place

    def one_pass():
        first, _second = pages(), pages()
        first.close()
        return pages()  # two at once

    assert grown_memory_bytes(one_pass, CPU) / 2**20 == pytest.approx(128, rel=0.1)


def test_on_a_cpu_nothing_tells_the_power():
    assert mean_power_w(lambda: None, CPU) is None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("runtime", ["eager", "compile"])
def test_on_a_gpu_a_pass_ends_with_its_result(runtime):
    device = torch.device("cuda")
    one_pass = torch_pass(nn.Linear(4096, 4096).to(device), torch.rand(4096, 4096, device=device), runtime)
    found = time_in_turn({"": one_pass}, warmup=3, repeats=5, device=device, should_stop=lambda: False)
    assert median(each for block in found[""] for each in block) > 1e-4  # 137 GFLOP take longer than the launch alone
    assert grown_memory_bytes(one_pass, device) >= 4096 * 4096 * 4  # the outputs
