"""What batch norms read in a pass: mean and variance of each channel; running statistics that follow their change."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_LARGEST = 5.0
"""No deviation is enlarged more."""

_NOTHING = 1e-12
"""A channel whose variance is below this share of the largest one beside it is a constant."""


def norms_of(module: nn.Module) -> dict[str, _BatchNorm]:
    """The batch norms with running statistics, by name."""
    return {
        name: each
        for name, each in module.named_modules()
        if isinstance(each, _BatchNorm) and each.running_mean is not None and each.running_var is not None
    }


@contextmanager
def measuring_inputs(norms: Mapping[str, _BatchNorm]) -> Iterator[dict[str, Float[Tensor, " c"]]]:
    """Fills what it gives with the moments of what norms read in a pass, named as their running statistics.

    When it ends, those of norms that were not called exactly once are left out.
    """
    found: dict[str, Tensor] = {}
    calls = dict.fromkeys(norms, 0)

    def note(name: str, _: _BatchNorm, inputs: Tensor) -> None:
        calls[name] += 1
        found[f"{name}.running_mean"], found[f"{name}.running_var"] = _moments(inputs)

    with _before(norms, note):
        yield found
    for name, times in calls.items():
        if times > 1:
            del found[f"{name}.running_mean"], found[f"{name}.running_var"]


@contextmanager
def following_inputs(norms: Mapping[str, _BatchNorm], wanted: Mapping[str, Float[Tensor, " c"]]) -> Iterator[None]:
    """Moves the running statistics of norms as they are called, so that they tell of their inputs as of others.

    To a norm, channels have the mean and the variance then that `wanted` has to the statistics that it came with: what
    reads what it should keeps its statistics.

    Args:
        norms: By name, in evaluation mode.
        wanted: The moments of the others, named as running statistics; norms that it lacks stay as they are.
    """

    def move(name: str, norm: _BatchNorm, inputs: Tensor) -> None:
        (mean, variance), (running_mean, running_var) = _moments(inputs), (norm.running_mean, norm.running_var)
        if running_mean is None or running_var is None:
            return
        aim = wanted[f"{name}.running_var"]
        factor = torch.where(_is_constant(aim), torch.ones_like(aim), deviation_factor(aim, variance))
        running_mean.sub_(wanted[f"{name}.running_mean"]).div_(factor).add_(mean)
        running_var.div_(factor.square())

    with _before({name: each for name, each in norms.items() if f"{name}.running_mean" in wanted}, move):
        yield


def deviation_factor(wanted: Float[Tensor, " c"], found: Float[Tensor, " c"]) -> Float[Tensor, " c"]:
    """From the deviation that channels have to the wanted one, from variances; 1 where they are constant."""
    constant = _is_constant(found)
    factor = (wanted / torch.where(constant, torch.ones_like(found), found)).sqrt().clamp_max(_LARGEST)
    return torch.where(constant, torch.ones_like(found), factor)


def _is_constant(variances: Float[Tensor, " c"]) -> Bool[Tensor, " c"]:
    return variances <= _NOTHING * variances.max()


def _moments(inputs: Tensor) -> tuple[Float[Tensor, " c"], Float[Tensor, " c"]]:
    rows = inputs.detach().transpose(0, 1).flatten(1).float()
    return rows.mean(1), rows.var(1, correction=0)


@contextmanager
def _before(norms: Mapping[str, _BatchNorm], act: Callable[[str, _BatchNorm, Tensor], None]) -> Iterator[None]:
    """Calls a function with name, norm and inputs before each call of a norm."""
    hooks = [
        norm.register_forward_pre_hook(lambda norm, arguments, name=name: act(name, norm, arguments[0]))
        for name, norm in norms.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
