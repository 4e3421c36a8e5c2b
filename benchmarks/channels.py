"""Channel groups of all classification networks of torchvision and of the zoo: right? And how long does it take?

Right: each network is pruned at random, permuted, run and trained in double precision (`workers.channels.proof`); a
model counts as ok when the proof holds and every group that Torch-Pruning finds too is the same, up to the kinds of
difference that are listed by name. How long: analysis beside Torch-Pruning's graph and its groups in the same process,
medians. The peer traces a real forward pass and checks nothing; the analysis here allocates no activations and proves
its map by a second trace. Figures: speedup_min (smallest ratio of the peer's time to ours), resnet18_s, models_ok,
models_total, models_refused (with groups that have to stay), and per network of the comparison its ratio.

    python -m benchmarks.channels [--quick] [--models NAME ...]
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from types import FrameType

import torch
import torch_pruning
import torchvision
from torch import nn
from torch.nn.modules.conv import _ConvNd

from benchmarks.timing import timed
from workers.channels import ChannelMap, find_groups
from workers.channels.proof import prove
from workers.models import build

COMPARED = ("densenet121", "convnext_tiny", "vgg16", "resnet50", "swin_t")
QUICK = ("resnet18", "vgg11_bn", "mobilenet_v3_small", "shufflenet_v2_x0_5", "convnext_tiny")
ZOO = (
    *("nin", "cifar_vgg11_bn", "cifar_vgg16_bn", "cifar_vgg19_bn", "cifar_resnet18", "cifar_resnet20"),
    *("cifar_resnet56", "cifar_resnet110", "preresnet164", "densenet40"),
)
LARGEST = 200_000_000
"""Parameters above which a proof in double precision does not fit the memory of a small machine."""
PATIENCE = 180
"""Seconds after which the peer is given up."""
MEMORY = 16 * 2**30
"""Bytes that a process may take; a run without the limit ended when it had taken all of 24 GB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVerdict:
    """What one network gave."""

    name: str
    groups: int = 0
    refused: int = 0
    seconds: float = 0.0
    proof: str = ""
    peer: str = ""

    @property
    def ok(self) -> bool:
        """Whether the map was proved, and no difference to the peer is without a reason."""
        return self.proof == "holds" and "?" not in self.peer

    def row(self) -> str:
        """A line of the table."""
        return f"| {self.name} | {self.groups} | {self.refused} | {self.seconds:.1f} | {self.proof} | {self.peer} |"


def side(name: str) -> int:
    """Pixels of the side of an image that the network takes."""
    if name in ZOO:
        return 32
    if name == "inception_v3":
        return 299
    return 224 if name.startswith(("vit", "swin", "maxvit")) else 64


def make(name: str) -> nn.Module:
    """The network with random weights."""
    torch.manual_seed(0)
    if name in ZOO:
        return build(name, {}).eval()
    settings = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network: nn.Module = torchvision.models.get_model(name, weights=None, **settings)
    return network.eval()


@contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in the main thread when the time is over."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def peer_groups(model: nn.Module, shape: Sequence[int]) -> set[frozenset[str]]:
    """Torch-Pruning's groups, each as the layers whose output channels it cuts; depthwise convolutions make none."""
    graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=torch.randn(1, *shape))
    names = {module: name for name, module in model.named_modules()}
    groups = set()
    for group in graph.get_all_groups():
        layers = set()
        for member, _ in group:
            module = member.target.module
            depthwise = isinstance(module, _ConvNd) and module.groups == module.in_channels > 1
            if isinstance(module, (_ConvNd, nn.Linear)) and not depthwise and "out" in member.handler.__name__:
                layers.add(names[module])
        groups.add(frozenset(layers))
    return groups - {frozenset()}


def compare(model: nn.Module, shape: Sequence[int], found: ChannelMap) -> str:
    """How the groups differ from the peer's, in words; a difference without a known reason has a question mark."""
    try:
        with deadline(PATIENCE):
            theirs = peer_groups(model, shape)
    except Exception as error:  # whatever the peer raises
        return f"fails there: {type(error).__name__}: {str(error).splitlines()[0][:60] if str(error) else ''}"
    ours = {frozenset(group.layers) for group in found.groups}
    reasons = {reason_of(model, layers, found) for layers in ours ^ theirs}
    differences = ", ".join(sorted(reasons - {"the outputs of the network"}))
    return f"{len(ours & theirs)} of {len(theirs)}" + (f"; {differences}" if differences else "")


def reason_of(model: nn.Module, layers: frozenset[str], found: ChannelMap) -> str:
    """Why the two disagree on these layers."""
    refused = {layer for group in found.refused for layer in group.layers}
    modules = [model.get_submodule(layer) for layer in layers if layer in dict(model.named_modules())]
    produced = refused | {layer for group in found.groups for layer in group.layers}
    if layers & refused:
        return "refused here"
    if not layers & produced:
        return "the outputs of the network"
    if any(f"{layer}.weight" in found.parameters and f"{layer}.weight" not in found.applications for layer in layers):
        return "layers of the training pass"
    if any(isinstance(module, _ConvNd) and 1 < module.groups < module.in_channels for module in modules):
        return "convolutions in groups, which are blocks here"
    partners = {layer for group in found.groups if layers & set(group.layers) for layer in group.layers}
    blocks = (model.get_submodule(layer) for layer in partners)
    if any(isinstance(module, _ConvNd) and 1 < module.groups < module.in_channels for module in blocks):
        return "convolutions in groups, which are blocks here"
    return f"? {sorted(layers)[:3]}"


def begin() -> None:
    """Makes a process ready: one thread, limited memory, and imported what is imported at the first use."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    find_groups(make("squeezenet1_1"), (3, 64, 64))


def judge(name: str) -> ModelVerdict:
    """Analyses, proves and compares one network."""
    model, shape = make(name), (3, side(name), side(name))
    started = time.perf_counter()
    found = find_groups(model, shape)
    seconds = time.perf_counter() - started
    if sum(each.numel() for each in model.parameters()) > LARGEST:
        proof = "not tried: too large"
    else:
        outcome = prove(model, shape, found, ratio=0.4, generator=torch.Generator().manual_seed(0))
        proof = "holds" if outcome.holds(1e-5) else f"FAILS: {outcome}"
    return ModelVerdict(
        name=name,
        groups=len(found.groups),
        refused=len(found.refused),
        seconds=seconds,
        proof=proof,
        peer=compare(model, shape, found),
    )


def speedup(name: str, repetitions: int) -> tuple[float, float, str]:
    """Median seconds of the analysis at 224 x 224 pixels, ratio of the peer's to it, and what happened to the peer."""
    model, shape = make(name), (3, 224, 224)
    ours = statistics.median(timed(lambda: find_groups(model, shape)) for _ in range(repetitions))
    try:
        with deadline(PATIENCE):
            theirs = statistics.median(timed(lambda: peer_groups(model, shape)) for _ in range(repetitions))
    except Exception as error:  # whatever the peer raises
        return ours, float("nan"), type(error).__name__
    return ours, theirs / ours, ""


def main() -> None:
    """Print the table and, last, the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Five networks, one repetition.")
    parser.add_argument("--models", nargs="*", help="Only these.")
    arguments = parser.parse_args()
    everything = [*torchvision.models.list_models(module=torchvision.models), *ZOO]
    names = arguments.models or (QUICK if arguments.quick else everything)
    compared = ("resnet18", "vgg16") if arguments.quick else ("resnet18", *COMPARED)
    verdicts = []
    with ProcessPoolExecutor(1, get_context("spawn"), begin, max_tasks_per_child=1) as fresh:
        for verdict in fresh.map(judge, names):
            verdicts.append(verdict)
            print(verdict.row(), flush=True)
        repetitions = [1 if arguments.quick else 3] * len(compared)
        speeds = dict(zip(compared, fresh.map(speedup, compared, repetitions), strict=True))
    figures = {
        "speedup_min": round(min(ratio for _, ratio, failure in speeds.values() if not failure), 3),
        "resnet18_s": round(speeds["resnet18"][0], 2),
        "models_ok": sum(verdict.ok for verdict in verdicts),
        "models_total": len(verdicts),
        "models_refused": sum(verdict.refused > 0 for verdict in verdicts),
        **{f"speedup_{name}": failure or round(ratio, 3) for name, (_, ratio, failure) in speeds.items()},
        **{f"{name}_s": round(seconds, 2) for name, (seconds, _, _) in speeds.items()},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
