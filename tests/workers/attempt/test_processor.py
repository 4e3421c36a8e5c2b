import pytest
import torch

from workers.attempt.processor import cpu_model, described_by, processor

CPU = torch.device("cpu")
EPYC = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC

processor\t: 1
model\t\t: 99
"""


def test_it_is_what_torch_computes_with_here():
    found = processor(CPU, {})
    assert found == {
        "cpu": cpu_model(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
    }
    assert all(found.values())


def test_instructions_that_were_left_aside_on_request_are_told():
    found = processor(CPU, {"ONEDNN_MAX_CPU_ISA": "AVX2", "HOME": "/"})
    assert found["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert "HOME" not in found


def test_several_processes_are_told():
    assert processor(CPU, {}, processes=2) == {**processor(CPU, {}), "processes": "2"}


def test_a_gpu_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    assert processor(torch.device("cuda", 1), {})["gpu"] == "card 1"


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [(EPYC, "AMD EPYC (25/17)"), ("model name : Some", "Some"), ("Processor : ARMv8", ""), ("", "")],
)
def test_the_model_of_the_first_processor(cpuinfo, expected):
    assert described_by(cpuinfo) == expected
