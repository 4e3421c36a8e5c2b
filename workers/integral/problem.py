"""The loss of the smaller network as a function of its partition, which partition tuning minimises.

The optimizer is in `tuning`.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from jobs.errors import BadNumericsError
from jobs.spec.distillation import DistillSpec
from jobs.spec.execution import Execution
from workers.channels import ChannelMap, forget_computed, load_resized
from workers.channels.batch_norms import is_known_norm
from workers.data import Split, batches
from workers.deferred import Deferred
from workers.distillation import Teacher
from workers.execution import running, running_teacher
from workers.inputs import Inputs, call
from workers.integral.partition import cells_of, nodes_of
from workers.integral.quadrature import Quadrature
from workers.integral.resample import resample
from workers.integral.variance import VarianceRepair
from workers.measure.evaluation import evaluate
from workers.objectives import Objective

TuningTarget = Literal["labels", "dense"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How good a partition is on held-out images.

    Attributes:
        loss: Mean loss, or distance from the dense network; NaN where an output is no number.
        metrics: The objective's metrics, as stored; none where there are no labels, or where an output is no number.
        rank: The smaller, the better: by the primary metric, then by the loss on labels; without labels by the loss.
    """

    loss: float
    metrics: Mapping[str, float]
    rank: tuple[float, ...]


class TuningProblem:
    """The smaller network as a function of its free tensors: a delta per group and, optionally, its biases.

    Args:
        module: The permuted network in evaluation mode, on its device.
        channel_map: Its channel groups.
        start: Group name -> initial widths of the cells.
        quadrature: For the input axes.
        biases: Whether the biases are tuned, too.
        target: What its outputs are compared with: the data's targets, or the dense network's outputs.
        distill: How it learns from the dense network beside the targets; None: not.
        objective: The loss that compares them.
        how: How the networks run.
        repair: Of the variance, at every partition.
    """

    def __init__(
        self,
        module: nn.Module,
        channel_map: ChannelMap,
        start: Mapping[str, Tensor],
        quadrature: Quadrature,
        *,
        biases: bool,
        target: TuningTarget,
        objective: Objective,
        how: Execution,
        distill: DistillSpec | None = None,
        repair: VarianceRepair | None = None,
    ) -> None:
        self._repair = repair
        self._channel_map = channel_map
        self._quadrature = quadrature
        self._target, self._objective = target, objective
        self._state = {name: tensor.detach() for name, tensor in module.state_dict().items()}
        self._dense = running_teacher(module, how)  # only its tensors get another memory format, not those above
        device = next(iter(self._state.values())).device
        self._delta = {
            # Of mean square 1, so that a learning rate means the same for every group.
            name: (cells * len(cells)).sqrt().to(device).requires_grad_()
            for name, cells in start.items()
        }
        self._biases: dict[str, Tensor] = {}
        with torch.no_grad():
            resampled = self._resampled()
        first = {id(tensor): name for name, tensor in reversed(module.state_dict(keep_vars=True).items())}
        names = list(first.values())  # of a tensor with several names the first
        self._small = copy.deepcopy(module)
        load_resized(self._small, resampled)
        for name, norm in list(self._small.named_modules()):
            if is_known_norm(norm) and norm.running_mean is not None:
                self._small.set_submodule(name, _DifferentiableNorm(norm))
        self._runner = _Forgetful(running(self._small, how), self._small)
        # Its place within what runs it: `runner`, or `runner.network`, say.
        within = next(name for name, each in self._runner.named_modules() if each is self._small)
        self._names = {name: f"{within}.{name}" for name in names}
        if biases:
            self._biases = {
                name: tensor.clone().requires_grad_()
                for name, tensor in resampled.items()
                if name in channel_map.parameters and name.endswith("bias")
            }
        self._labelled = target == "labels" and (distill is None or distill.weight < 1)
        self._teacher: Teacher | None = None
        if distill is not None and distill.compares:
            self._teacher = Teacher(distill, module, self._small, objective, runner=self._dense)

    @property
    def free(self) -> dict[str, Tensor]:
        """The tensors to optimise, by name."""
        deltas = {f"delta:{name}": delta for name, delta in self._delta.items()}
        return {**deltas, **{f"bias:{name}": bias for name, bias in self._biases.items()}}

    def loss(self, inputs: Inputs, targets: Shaped[Tensor, "b ..."], *, check: bool = True) -> Float[Tensor, ""]:
        """Mean loss of a batch.

        Args:
            inputs: Of the batch.
            targets: Of the batch.
            check: Whether to check that the outputs fit the targets, which waits for a GPU.

        Raises:
            BadInputError: The outputs do not fit the targets.
        """
        objective, smaller = self._objective, self._smaller()
        if self._target == "dense":
            with torch.no_grad():
                wanted = call(self._dense, inputs)
            return objective.distance(smaller, inputs, wanted)
        run, loss = partial(call, smaller, objective.inputs(inputs, targets)), partial(self._loss_on, targets, check)
        return loss(run()) if self._teacher is None else self._teacher.loss(inputs, run, loss)

    def _loss_on(self, targets: Tensor, check: bool, outputs: Any) -> Float[Tensor, ""]:
        if check:
            self._objective.check(outputs, targets)
        return self._objective.loss(outputs, targets)

    @torch.no_grad()
    def quality(self, split: Split, batch_size: int, device: torch.device) -> Quality:
        """How good the partition is on a split, that many samples a pass.

        Raises:
            BadInputError: The outputs do not fit the targets.
        """
        if not self._labelled:
            losses: list[float] = []
            with Deferred[int](device, lambda loss, samples: losses.append(loss * samples)) as read:
                for inputs, targets in batches(split, batch_size, device=device):
                    read.add(self.loss(inputs, targets), len(targets))
            loss = sum(losses) / len(split)
            return Quality(loss=loss, metrics={}, rank=(loss,))
        try:
            found = evaluate(
                self._smaller(),
                split,
                self._objective,
                batch_size=batch_size,
                device=device,
                should_stop=lambda: False,
            )
        except BadNumericsError:
            return Quality(loss=math.nan, metrics={}, rank=(math.inf, math.inf))
        primary = self._objective.primary
        return Quality(
            loss=found.loss, metrics=found.metrics, rank=(primary.cost(found.metrics[primary.name]), found.loss)
        )

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Cells and biases as they are now, on the CPU."""
        cells = {name: cells_of(delta).detach().cpu() for name, delta in self._delta.items()}
        return cells, {name: bias.detach().cpu().clone() for name, bias in self._biases.items()}

    def _smaller(self) -> nn.Module:
        resampled = self._resampled()
        return _WithTensors(self._runner, {there: resampled[name] for name, there in self._names.items()})

    def _resampled(self) -> dict[str, Tensor]:
        nodes = {name: nodes_of(cells_of(delta)) for name, delta in self._delta.items()}
        state = resample(self._state, self._channel_map, nodes, self._quadrature)
        if self._repair is not None:
            state = self._repair(state, nodes, self._quadrature)
        return {**state, **self._biases}


class _WithTensors(nn.Module):
    """A module, called with other tensors in the place of its own."""

    def __init__(self, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.module, self._tensors = module, dict(tensors)
        self.training = module.training

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Any:
        """The module's output with those tensors."""
        return functional_call(self.module, self._tensors, args, kwargs)


class _Forgetful(nn.Module):
    """What runs a network that forgets before every pass what it has computed of the tensors of another one."""

    def __init__(self, runner: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.runner, self.training = runner, network.training
        self._forget = partial(forget_computed, network)  # part of the runner already, and tensors are replaced once

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Any:
        """The network's output."""
        self._forget()
        return self.runner(*args, **kwargs)


class _DifferentiableNorm(nn.Module):
    """A batch norm in evaluation mode with gradients for its statistics, too, which depend on the nodes.

    Torch's own has none. The tensors keep their names, and what the norm calls afterwards is called.
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
        for name, called in norm.named_children():
            self.add_module(name, called)

    def forward(self, features: Float[Tensor, "b c *space"]) -> Float[Tensor, "b c *space"]:
        """Features, shifted and scaled."""
        shape = (-1, *[1] * (features.ndim - 2))
        scale = (self.running_var + self.eps).rsqrt()
        features = (features - self.running_mean.view(shape)) * scale.view(shape)
        if self.weight is not None:
            features = features * self.weight.view(shape)
        if self.bias is not None:
            features = features + self.bias.view(shape)
        for called in self.children():
            features = called(features)
        return features
