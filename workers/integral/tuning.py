"""Partition tuning: the nodes of every group move by gradient descent, the functions stay (INN, section 3.4).

Knows a network, its channel groups and images; knows no store and no seed.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from jobs.errors import BadNumericsError, CancelledError
from workers.channels import ChannelMap, load_resized
from workers.data import ImageData, Split, batches
from workers.integral.partition import cells_of, nodes_of
from workers.integral.quadrature import Quadrature
from workers.integral.resample import resample


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningRecipe:
    """How a partition is tuned.

    Attributes:
        steps: Optimizer steps.
        batch_size: Images per step.
        learning_rate: Of Adam, decayed to zero by a cosine.
        samples: Training images that it may see.
        holdout: Validation images that choose the best state.
        biases: Tune the biases (one-dimensional parameters) too.
        target: `labels`, or the `dense` network's outputs, which needs no labels.
    """

    steps: int
    batch_size: int
    learning_rate: float
    samples: int
    holdout: int
    biases: bool
    target: Literal["labels", "dense"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedPartition:
    """The best state that was seen; the start counts, so it is never worse than that on the held-out images.

    Attributes:
        cells: Group name -> widths of the cells, double precision, on the CPU.
        biases: Name of the tensor -> bias of the smaller network, where biases were tuned.
        loss_before: Loss on the held-out images with the partition that it started from.
        loss_after: The same at the best state.
        best_step: After how many steps the best state was; 0 is the start.
    """

    cells: Mapping[str, Float[Tensor, " m"]]
    biases: Mapping[str, Float[Tensor, " m"]]
    loss_before: float
    loss_after: float
    best_step: int


_CHECKS = 6
"""How often, evenly over the steps, the held-out images are asked; the start is asked besides."""


def tune_partition(
    module: nn.Module,
    channel_map: ChannelMap,
    start: Mapping[str, Float[Tensor, " m"]],
    quadrature: Quadrature,
    data: ImageData,
    recipe: TuningRecipe,
    *,
    generator: torch.Generator,
    device: torch.device,
    should_stop: Callable[[], bool],
) -> TunedPartition:
    """Tune the partition of every group that `start` names.

    Args:
        module: The permuted network; left as it is.
        channel_map: Its channel groups.
        start: Group name -> widths of the cells to start from.
        quadrature: For the input axes.
        data: Its training split is learnt from, its validation split chooses.
        recipe: How.
        generator: On the CPU; chooses images and their order.
        device: Where to compute.
        should_stop: Polled per step.

    Raises:
        BadNumericsError: The loss became NaN or infinite.
        CancelledError: `should_stop` became true.
    """
    problem = _Problem(copy.deepcopy(module).to(device).eval(), channel_map, start, quadrature, recipe)
    chosen = torch.randperm(len(data.train), generator=generator)[: recipe.samples]
    held_out = torch.randperm(len(data.validation), generator=generator)[: recipe.holdout]
    holdout = data.validation.select(held_out)
    stream = _endless(data.train.select(chosen), recipe.batch_size, generator, device)
    optimizer = torch.optim.Adam(problem.free, lr=recipe.learning_rate)
    before = problem.mean_loss(holdout, device)
    best, best_step, state = before, 0, problem.snapshot()
    interval = max(1, recipe.steps // _CHECKS)
    for step in range(1, recipe.steps + 1):
        if should_stop():
            raise CancelledError(f"stopped at tuning step {step} of {recipe.steps}")
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * (1 + math.cos(math.pi * (step - 1) / recipe.steps)) / 2
        images, labels = next(stream)
        loss = problem.loss(images, labels)
        if not math.isfinite(loss.item()):
            raise BadNumericsError(f"the loss is {loss.item()} at tuning step {step}; lower tune.learning_rate")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % interval == 0 or step == recipe.steps:
            held = problem.mean_loss(holdout, device)
            if held < best:
                best, best_step, state = held, step, problem.snapshot()
    cells, biases = state
    return TunedPartition(cells=cells, biases=biases, loss_before=before, loss_after=best, best_step=best_step)


class _Problem:
    """The smaller network as a function of what is free: a delta per group and, where asked, its biases."""

    def __init__(
        self,
        module: nn.Module,
        channel_map: ChannelMap,
        start: Mapping[str, Tensor],
        quadrature: Quadrature,
        recipe: TuningRecipe,
    ) -> None:
        self._dense = module
        self._channel_map = channel_map
        self._quadrature = quadrature
        self._target = recipe.target
        self._state = {name: tensor.detach() for name, tensor in module.state_dict().items()}
        device = next(iter(self._state.values())).device
        self._delta = {
            # Of mean square 1, so that a learning rate means the same for every group.
            name: (cells * len(cells)).sqrt().to(device).requires_grad_()
            for name, cells in start.items()
        }
        self._biases: dict[str, Tensor] = {}
        with torch.no_grad():
            resampled = self._resampled()
        self._small = copy.deepcopy(module)
        load_resized(self._small, resampled)
        for name, norm in list(self._small.named_modules()):
            if isinstance(norm, _BatchNorm) and norm.running_mean is not None:
                self._small.set_submodule(name, _DifferentiableNorm(norm))
        if recipe.biases:
            self._biases = {
                name: tensor.clone().requires_grad_()
                for name, tensor in resampled.items()
                if name in channel_map.parameters and name.endswith("bias")
            }

    @property
    def free(self) -> list[Tensor]:
        """The tensors that the optimizer moves."""
        return [*self._delta.values(), *self._biases.values()]

    def loss(self, images: Float[Tensor, "b c h w"], labels: Int64[Tensor, " b"]) -> Float[Tensor, ""]:
        """Mean loss of a batch."""
        logits = functional_call(self._small, self._resampled(), (images,))
        if self._target == "labels":
            return functional.cross_entropy(logits, labels)
        with torch.no_grad():
            wanted = self._dense(images).log_softmax(1)
        return functional.kl_div(logits.log_softmax(1), wanted, reduction="batchmean", log_target=True)

    @torch.no_grad()
    def mean_loss(self, split: Split, device: torch.device) -> float:
        """Mean loss over a split."""
        total = 0.0
        for images, labels in batches(split, 256, device=device):
            total += self.loss(images, labels).item() * len(labels)
        return total / len(split)

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Cells and biases as they are now, on the CPU."""
        cells = {name: cells_of(delta).detach().cpu() for name, delta in self._delta.items()}
        return cells, {name: bias.detach().cpu().clone() for name, bias in self._biases.items()}

    def _resampled(self) -> dict[str, Tensor]:
        nodes = {name: nodes_of(cells_of(delta)) for name, delta in self._delta.items()}
        state = resample(self._state, self._channel_map, nodes, self._quadrature)
        return {**state, **self._biases}


class _DifferentiableNorm(nn.Module):
    """A batch norm in evaluation mode with gradients for its statistics too, which move with the nodes.

    Torch's own refuses them. The tensors keep their names.
    """

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.eps = norm.eps
        self.register_parameter("weight", norm.weight)
        self.register_parameter("bias", norm.bias)
        self.register_buffer("running_mean", norm.running_mean)
        self.register_buffer("running_var", norm.running_var)
        self.register_buffer("num_batches_tracked", norm.num_batches_tracked)

    def forward(self, features: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """Features, shifted and scaled."""
        shape = (-1, *[1] * (features.ndim - 2))
        scale = (self.running_var + self.eps).rsqrt()
        features = (features - self.running_mean.view(shape)) * scale.view(shape)
        if self.weight is not None:
            features = features * self.weight.view(shape)
        return features if self.bias is None else features + self.bias.view(shape)


def _endless(
    split: Split, batch_size: int, generator: torch.Generator, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from batches(split, batch_size, generator=generator, device=device)
