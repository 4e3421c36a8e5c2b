"""What pruned networks gain in real time, in three runtimes, beside what their multiply-accumulates promise.

VGG-16-BN and ResNet-56 (CIFAR), ResNet-50 and MobileNetV2 (torchvision, 224 x 224), on the CPU: l1, the same fraction
of every group, 40 and 50 % of the multiply-accumulates removed, widths in multiples of 8. Dense and pruned network are
timed in turn, in one process. Figures (C: compression in percent; VARIANT: NETWORK.RUNTIME/BATCH):

- theoretical.C.NETWORK: ratio of the multiply-accumulates;
- speedup_measured.C.VARIANT, and speedup_measured.C, the median over networks, runtimes and batch sizes;
- ratio_to_theoretical.C.VARIANT and ratio_to_theoretical.C: that over the ratio of the multiply-accumulates;
- held_back.C.NETWORK: the operators of ONNX Runtime that lose most time against that ratio, one image, with the share
  of the pruned network's time that each loses;
- onnx_max_difference: largest difference of an ONNX graph's outputs from torch's, relative to the largest output;
- export_s: seconds to export ResNet-50 (25.6 million parameters) in all formats, checks included;
- int8_drop.40: by how much the accuracy of a pruned network falls in 8 bits, in percentage points, and int8_drop.0 of
  the dense one: ResNet-56 with trained weights (ORCHARD_WEIGHTS), the first 1,000 test images of CIFAR-10
  (ORCHARD_DATA), pruned by l1 and refitted on 256 images; null without them.

--quick: ResNet-56 alone, one image, without `compile`; it is what is exported, too.

    python -m benchmarks.deploy [--quick] [--multiple 16]
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import onnxruntime
import torch
from torch import nn

from jobs.percent import to_percent
from jobs.spec.measure import Runtime
from orchestrator.results import SweepRecord, collect
from orchestrator.store import open_store
from workers.allocation import AllocationProblem, allocate, find_allocator
from workers.channels import MacCount, find_groups, load_resized, select
from workers.criteria.filters import absolute_sums
from workers.export.description import EXPORTED_WEIGHTS_FILE
from workers.export.formats import ONNX_FILE, PROGRAM_FILE, TORCHSCRIPT_FILE, write_formats
from workers.export.graph import INPUT, check_onnx, write_onnx
from workers.measure import count_macs
from workers.measure.runtimes import Pass, onnx_pass, time_in_turn, torch_pass
from workers.models import build
from workers.network import state_bytes
from workers.stages._smaller import highest

_CPU = torch.device("cpu")
_NETWORKS: Mapping[str, tuple[int, ...]] = {
    "cifar_vgg16_bn": (3, 32, 32),
    "cifar_resnet56": (3, 32, 32),
    "torchvision:resnet50": (3, 224, 224),
    "torchvision:mobilenet_v2": (3, 224, 224),
}
_COMPRESSIONS = (0.4, 0.5)
_WORST_OPERATORS = 5
_DENSE, _PRUNED = "dense", "pruned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A network, and the same as an ONNX graph.

    Attributes:
        model: In evaluation mode.
        graph: The graph.
        macs: Multiply-accumulates of one image.
        difference: Largest difference between their outputs, relative to the largest one.
    """

    model: nn.Module
    graph: bytes
    macs: int
    difference: float

    @classmethod
    def of(cls, model: nn.Module, shape: Sequence[int]) -> "Deployed":
        """Export a network and check the graph."""
        graph = write_onnx(copy.deepcopy(model), shape)
        difference = check_onnx(graph, model, torch.rand(2, *shape))
        return cls(model=model, graph=graph, macs=count_macs(model, shape), difference=difference)

    def one_pass(self, runtime: Runtime, images: torch.Tensor) -> Pass:
        """Forward passes in a runtime."""
        if runtime == "onnxruntime":
            return onnx_pass(self.graph, images, threads=torch.get_num_threads())
        return torch_pass(self.model, images, runtime)


def pruned(model: nn.Module, shape: Sequence[int], compression: float, multiple: int) -> nn.Module:
    """The network without a fraction of its multiply-accumulates: l1, the same fraction of every group."""
    channel_map = find_groups(model, shape)
    problem = AllocationProblem(channel_map=channel_map, target=compression, cost=MacCount(channel_map))
    widths = allocate(find_allocator("uniform"), problem, multiple=multiple).widths
    kept = highest(absolute_sums(model.state_dict(), channel_map), widths)
    smaller = copy.deepcopy(model)
    load_resized(smaller, select(model.state_dict(), channel_map, kept))
    return smaller.eval()


def speedups(
    dense: Deployed, smaller: Deployed, shape: Sequence[int], runtimes: Sequence[Runtime], batch_sizes: Sequence[int]
) -> dict[str, float]:
    """Runtime and batch -> median over the blocks of the dense network's time over the pruned one's."""
    found = {}
    for runtime in runtimes:
        for batch_size in batch_sizes:
            images = torch.rand(batch_size, *shape)
            passes = {_DENSE: dense.one_pass(runtime, images), _PRUNED: smaller.one_pass(runtime, images)}
            repeats = 100 if batch_size == 1 else 20
            times = time_in_turn(passes, warmup=5, repeats=repeats, device=_CPU, should_stop=lambda: False)
            ratios = [median(whole) / median(part) for whole, part in zip(times[_DENSE], times[_PRUNED], strict=True)]
            found[f"{runtime}/b{batch_size}"] = median(ratios)
        torch.compiler.reset()
    return found


def operator_seconds(graph: bytes, images: torch.Tensor, passes: int = 20) -> dict[str, float]:
    """Operator of ONNX Runtime -> its mean seconds in a pass."""
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        for _ in range(passes):
            session.run(None, {INPUT: images.numpy()})
        events = json.loads(Path(session.end_profiling()).read_text())
    seconds: dict[str, float] = {}
    for event in events:
        name = event["name"].removesuffix("_kernel_time")
        if event.get("cat") == "Node" and name != event["name"]:
            seconds[name] = seconds.get(name, 0.0) + event["dur"] / 1e6 / passes
    return seconds


def held_back(dense: Deployed, smaller: Deployed, shape: Sequence[int]) -> dict[str, float]:
    """The operators that lose most against the ratio of multiply-accumulates: shares of the pruned network's time."""
    images = torch.rand(1, *shape)
    before, after = (operator_seconds(each.graph, images) for each in (dense, smaller))
    ratio = dense.macs / smaller.macs
    lost = {name: seconds - before[name] / ratio for name, seconds in after.items() if name in before}
    worst = sorted(lost, key=lambda name: lost[name], reverse=True)[:_WORST_OPERATORS]
    return {name: round(lost[name] / sum(after.values()), 3) for name in worst if lost[name] > 0}


def int8_drops() -> dict[str, float | None]:
    """int8_drop.0 and int8_drop.40, from a run of the sweep that is shipped."""
    data, weights = os.environ.get("ORCHARD_DATA"), os.environ.get("ORCHARD_WEIGHTS")
    if data is None or weights is None:
        return {"int8_drop.0": None, "int8_drop.40": None}
    with tempfile.TemporaryDirectory(prefix="orchard-") as folder:
        store = f"{folder}/store"
        command = [sys.executable, "-m", "orchestrator.cli", "run", "jobs/sweeps/deploy_cifar10.yaml"]
        chosen = [
            *(f"storage={store}", f"tracking=sqlite:///{folder}/mlflow.db", f"data.root={data}", "controls=false"),
            "models={resnet56: {network: cifar_resnet56, weights: " + f"{weights}/resnet56_cifar10.safetensors" + "}}",
            "methods={dense: {kind: dense}, l1: {kind: criterion, criterion: l1, protocols: [repaired]}}",
            *("compressions=[0.4]", "data.test_images=1000", "measure.latency=null"),
        ]
        subprocess.run([*command, *chosen, "--backend", "inline"], check=True, stdout=sys.stderr)
        opened = open_store(store)
        curves = collect(SweepRecord.from_json(opened.read_sweep("deploy_cifar10")), opened)
    points = {to_percent(point.asked): point.all_metrics for curve in curves for point in curve.points}
    return {
        f"int8_drop.{step}": round(100 * (each["accuracy"] - each["accuracy/int8"]), 2) for step, each in points.items()
    }


def export_seconds(network: str) -> float:
    """Seconds to write a network in all formats, read each back and compare its outputs."""
    model = build(network).eval()
    with tempfile.TemporaryDirectory(prefix="orchard-") as folder:
        started = time.perf_counter()
        Path(folder, EXPORTED_WEIGHTS_FILE).write_bytes(state_bytes(model.state_dict()))
        names = (PROGRAM_FILE, ONNX_FILE, TORCHSCRIPT_FILE)
        written, missing = write_formats(names, Path(folder), model, _NETWORKS[network])
        seconds = time.perf_counter() - started
    if missing or len(written) < len(names):
        raise SystemExit(f"{network} was not written in all formats: {missing}")
    return round(seconds, 1)


def measure(
    networks: Mapping[str, tuple[int, ...]], runtimes: Sequence[Runtime], batch_sizes: Sequence[int], multiple: int
) -> dict[str, object]:
    """Speedups, their ratios to the theoretical ones, what holds them back, and the graphs' differences."""
    result: dict[str, object] = {}
    gained: dict[int, list[tuple[float, float]]] = {}
    difference = 0.0
    for network, shape in networks.items():
        torch.manual_seed(0)
        dense = Deployed.of(build(network).eval(), shape)
        name = network.removeprefix("torchvision:").removeprefix("cifar_")
        for compression in _COMPRESSIONS:
            step = to_percent(compression)
            smaller = Deployed.of(pruned(dense.model, shape, compression, multiple), shape)
            difference = max(difference, dense.difference, smaller.difference)
            theoretical = dense.macs / smaller.macs
            result[f"theoretical.{step}.{name}"] = round(theoretical, 3)
            for variant, speedup in speedups(dense, smaller, shape, runtimes, batch_sizes).items():
                gained.setdefault(step, []).append((speedup, speedup / theoretical))
                result[f"speedup_measured.{step}.{name}.{variant}"] = round(speedup, 3)
                result[f"ratio_to_theoretical.{step}.{name}.{variant}"] = round(speedup / theoretical, 3)
                print(f"{name} {step} % {variant}: {speedup:.2f}x of {theoretical:.2f}x", flush=True)
            result[f"held_back.{step}.{name}"] = held_back(dense, smaller, shape)
    for step, pairs in gained.items():
        result[f"speedup_measured.{step}"] = round(median(speedup for speedup, _ in pairs), 3)
        result[f"ratio_to_theoretical.{step}"] = round(median(ratio for _, ratio in pairs), 3)
    return {**result, "onnx_max_difference": difference}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ResNet-56 alone, one image, without `compile`.")
    parser.add_argument("--multiple", type=int, default=8, help="Of which widths are, or full.")
    arguments = parser.parse_args()
    if arguments.quick:
        result = measure({"cifar_resnet56": (3, 32, 32)}, ("eager", "onnxruntime"), (1,), arguments.multiple)
        export_s = export_seconds("cifar_resnet56")
    else:
        result = measure(_NETWORKS, ("eager", "compile", "onnxruntime"), (1, 32), arguments.multiple) | int8_drops()
        export_s = export_seconds("torchvision:resnet50")
    print(json.dumps({**result, "export_s": export_s, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
