"""Stages `export`, `quantize` and `time`: what a network is worth where it is deployed."""

import pytest
import typed_networks

from jobs.outcome import Cause
from jobs.stages.finishing import TimedNetwork
from workers.export.graph import OnnxNetwork, check_onnx
from workers.measure import size_bytes


@pytest.fixture(scope="module")
def dense(bench):
    return bench.train()


@pytest.fixture(scope="module")
def pruned(bench):
    return bench.remove(bench.convert(fold=False), 0.4)


def test_a_graph_computes_what_the_network_does(bench, pruned):
    import torch

    key = bench.export(pruned)
    content = bench.store.read(key, "model.onnx")
    assert bench.measured(key)["difference"] < 1e-5
    assert bench.measured(key)["size_bytes"] == len(content)
    assert check_onnx(content, bench.network(pruned), torch.rand(5, 1, 8, 8)) < 1e-5


def test_eight_bits_lose_little_and_weigh_less(bench, dense):
    graph = bench.export(dense)
    measured = bench.measured(bench.quantize(graph))
    names = ("accuracy", "top5", "f1", "calibration_error", "loss", "size_bytes")
    assert measured.keys() == {f"{name}/int8" for name in names}
    assert measured["accuracy/int8"] == pytest.approx(bench.measured(bench.evaluate(dense))["accuracy"], abs=0.06)
    assert measured["size_bytes/int8"] < bench.measured(graph)["size_bytes"]  # of a tiny one, most is structure


def test_every_way_to_calibrate_gives_a_graph_of_its_own(bench, dense):
    graph = bench.export(dense)
    ways = [bench.quantize(graph, 32, calibrate=way) for way in ("minmax", "percentile")]
    assert len({bench.digests(key)["model.int8.onnx"] for key in ways}) == 2


def test_full_range_weights_are_of_eight_bits(bench, dense):
    import onnx

    graph = bench.export(dense)
    largest = {}
    for reduced in (True, False):
        made = onnx.load_from_string(
            bench.store.read(bench.quantize(graph, 32, reduce_range=reduced), "model.int8.onnx")
        )
        tensors = [each for each in made.graph.initializer if each.data_type == onnx.TensorProto.INT8]
        largest[reduced] = max(abs(int(onnx.numpy_helper.to_array(each).max(initial=0))) for each in tensors)
    assert largest == {True: 64, False: 127}


def test_a_network_is_timed_in_every_runtime_and_batch_beside_the_dense_one(bench, dense, pruned):
    graph = bench.export(pruned)
    timed = TimedNetwork(network=pruned, graph=graph, quantized=bench.quantize(graph, 32))
    params = bench.timing(
        timed,
        TimedNetwork(network=dense, graph=bench.export(dense)),
        runtime=("eager", "onnxruntime"),
        batch_size=(1, 4),
        threads=1,
    )
    key = bench.key(params)
    timings = bench.store.manifest(key).timings
    variants = [f"{runtime}/b{size}" for runtime in ("eager", "onnxruntime", "onnxruntime-int8") for size in (1, 4)]
    names = ("latency_p50_s", "latency_p90_s", "speedup_measured", "speedup_spread")
    memory = {f"peak_memory_measured_bytes/eager/b{size}" for size in (1, 4)}
    assert timings.keys() == {f"{name}/{variant}" for name in names for variant in variants} | memory
    record = bench.json(key, "times.json")
    assert record["threads"] == 1
    for variant in variants:
        times = record["times"][variant]
        assert [len(block) for block in times["blocks"]] == [1] * 4
        assert 0 < times["p50_s"] <= times["p90_s"] <= times["p99_s"]
        ratios = [dense[0] / own[0] for dense, own in zip(times["dense_blocks"], times["blocks"], strict=True)]
        assert min(ratios) <= timings[f"speedup_measured/{variant}"] <= max(ratios)


def test_other_types_are_timed_under_their_own_name(bench, dense):
    timed = TimedNetwork(network=dense)
    timings = bench.store.manifest(bench.key(bench.timing(timed, timed, dtype="bfloat16"))).timings
    assert "latency_p50_s/eager-bfloat16/b1" in timings


@pytest.mark.parametrize("name", typed_networks.TYPED)
def test_layers_keep_the_types_that_they_have(own_bench, name):
    key = own_bench.put(f"typed_networks:{name}", getattr(typed_networks, name)().state_dict())
    timed = TimedNetwork(network=key)
    timings = own_bench.store.manifest(own_bench.key(own_bench.timing(timed, timed))).timings
    own = size_bytes(own_bench.tensors(key))
    assert timings.get("peak_memory_measured_bytes/eager/b1", own) >= own
    assert "latency_p50_s/eager/b1" in timings


def test_memory_is_that_of_the_weights_as_they_run(bench, dense, monkeypatch):
    monkeypatch.setattr("workers.stages.time.grown_memory_bytes", lambda one_pass, device: 1000)
    timed = TimedNetwork(network=dense)
    timings = bench.store.manifest(bench.key(bench.timing(timed, timed, dtype="bfloat16", warmup=2))).timings
    halves = size_bytes(bench.network(dense).bfloat16().state_dict())
    assert halves == size_bytes(bench.tensors(dense)) / 2
    assert timings["peak_memory_measured_bytes/eager-bfloat16/b1"] == halves + 1000


def test_timing_stops_when_asked_to(bench, dense, failure):
    timed = TimedNetwork(network=dense)
    outcome = bench.run(bench.timing(timed, timed, warmup=7), should_stop=lambda: True)
    assert failure(outcome).cause is Cause.CANCELLED


def test_a_network_that_onnx_cannot_express_is_refused_with_the_reason(own_bench, failure, monkeypatch):
    from pathlib import Path

    from jobs.stages.finishing import ExportParams

    monkeypatch.syspath_prepend(Path(__file__).parent)
    from obstacle_networks import Branching

    key = own_bench.put("obstacle_networks:Branching", Branching().state_dict())
    outcome = failure(own_bench.run(ExportParams(network=key, onnx="any")))
    assert outcome.cause is Cause.BAD_NETWORK
    assert "ONNX cannot express the network: " in outcome.message


def test_a_quantised_network_runs_alone(bench, dense):
    import torch

    content = bench.store.read(bench.quantize(bench.export(dense)), "model.int8.onnx")
    assert OnnxNetwork(content)(torch.rand(3, 1, 8, 8)).shape == (3, 10)
