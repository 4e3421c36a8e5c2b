"""Compiled, in half precision, and in several processes."""

import copy

import pytest
import torch
from integral_changes import change_in_place, change_the_size, fewer
from torch import nn

from workers.channels import find_groups
from workers.integral.network import IntegralNetwork


def compiled_agrees(integral, images, backend, options=None, modes=(True, False, True), changes=()):
    torch.compiler.reset()
    compiled = torch.compile(integral, backend=backend, options=options)
    for training in modes:
        integral.train(training)
        expected = copy.deepcopy(integral)(images)
        found = compiled(images)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        if training:
            found.square().mean().backward()
            assert all(each.grad is not None for each in integral.parameters())
    integral.eval()
    for change in changes:
        change(integral)
        torch.testing.assert_close(compiled(images), copy.deepcopy(integral)(images), rtol=1e-4, atol=1e-5)
    torch.compiler.reset()


@pytest.mark.slow
def test_it_compiles(residual, images):
    compiled_agrees(residual, images, "aot_eager", changes=(change_in_place, change_the_size))


@pytest.mark.slow
def test_it_compiles_to_machine_code(images, monkeypatch, tmp_path):
    # A cache of its own: torch would take code for one set of instructions from it and compile it for another.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    # Channels stay first, for with channels last oneDNN writes beyond its memory where a processor has AVX2 and no more
    # (or ONEDNN_MAX_CPU_ISA=AVX2): gradients of a strided 1x1 convolution's weights, at fewer than 8 input channels
    # (uxlfoundation/oneDNN#6035). Nothing of Orchard's is needed for it, nor a compiler:
    #     x = torch.rand(3, 4, 8, 8).to(memory_format=torch.channels_last)
    #     w = torch.rand(8, 4, 1, 1, requires_grad=True)
    #     for _ in range(300):
    #         torch.nn.functional.conv2d(x, w, stride=2).sum().backward()
    # What is compiled anew, and when, is above: here it is that the code for a step and for a forward pass is right.
    options = {"layout_optimization": False}
    module = nn.Sequential(nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(180, 3))
    integral = IntegralNetwork(module, find_groups(module, (1, 8, 8)))
    integral.resize(fewer(integral))
    compiled_agrees(integral, images, "inductor", options=options, modes=(True, False))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(integral, images, dtype):
    expected = integral(images)
    half = copy.deepcopy(integral).to(dtype)
    found = half(images.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05)
    half.train()(images.to(dtype)).float().square().mean().backward()
    assert all(each.grad.dtype == dtype for each in half.parameters())


def test_autocast(integral, images):
    expected = integral.train()(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = integral(images)
    found.float().square().mean().backward()
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)
    assert all(each.grad.dtype == torch.float32 and each.grad.isfinite().all() for each in integral.parameters())


def test_weights_are_made_in_single_precision_under_autocast(residual):
    expected = residual.export().state_dict()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = residual.export().state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())


def test_distributed_data_parallel(residual, images, tmp_path):
    expected = copy.deepcopy(residual).train()
    expected(images).square().mean().backward()
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        parallel = nn.parallel.DistributedDataParallel(residual).train()
        parallel(images).square().mean().backward()
        evaluated = parallel.eval()(images)
    finally:
        torch.distributed.destroy_process_group()
    for found, wanted in zip(residual.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(found.grad, wanted.grad)
    assert torch.equal(evaluated, residual.export()(images))
