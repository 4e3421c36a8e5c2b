"""The widths of a task: its allocation, and what the task's inputs have for it to look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safetensors.torch import load
from torch import Tensor

from jobs.errors import BadInputError
from workers.allocation import (
    Allocation,
    Design,
    Errors,
    Question,
    allocate,
    find_allocator,
    latency_cost,
    loss_curve,
    merging_errors,
    removal_errors,
)
from workers.channels import ChannelMap, Cost, MacCount, ParameterCount, cost_of_tensors, live_activations
from workers.measure.layers import LayerTime
from workers.network import Recipe, rebuild
from workers.stages._base import Context
from workers.stages._channels import read_channels
from workers.stages.profile import PROFILE_FILE
from workers.stages.score import SCORES_FILE
from workers.stages.sense import LOSSES_FILE

_NUMBER_BYTES = 4  # single precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The network that is made smaller."""

    recipe: Recipe
    state: Mapping[str, Tensor]
    channel_map: ChannelMap


def allocated(context: Context, source: Source, errors: Callable[[], Errors] | None = None) -> Allocation:
    """The widths at which a task's target is met.

    Params: `compression`; `allocation`, a name or a record of `kind`, `settings` and, for one of the user's own,
    `needs`; `target` where it is not `parameters`. Inputs, where the allocation needs them: `scores`, `losses`,
    `profile`, and `design0`, `design1` ... with the networks that they were made from as `design0_channels` ...

    Args:
        context: Of the task.
        source: The network that is made smaller.
        errors: What taking channels does to the weights; by default that of removing the lowest scores where there are
            scores, else of merging neighbours.

    Raises:
        BadInputError: The target is out of reach, or the allocation needs other things than the sweep says.
    """
    asked: Any = context.params["allocation"]
    record: dict[str, Any] = {"kind": asked, "settings": {}} if isinstance(asked, str) else asked
    found = find_allocator(record["kind"])
    if sorted(record.get("needs", found.needs)) != sorted(found.needs):
        raise BadInputError(
            f"allocation '{record['kind']}' needs {list(found.needs)}; the sweep says `needs: {record['needs']}`"
        )
    measure, cost = _cost(context, source)
    question = Question(
        channel_map=source.channel_map,
        target=context.params["compression"],
        cost=cost,
        measure=measure,
        memory=lambda batch_size: _memory(source, batch_size),
        **{**_evidence(context, source), **({"errors": errors} if errors else {})},
    )
    return allocate(found, question, record["settings"])


def latency_of(context: Context, source: Source) -> Cost:
    """Seconds as a function of widths, by the task's profile."""
    layers: Any = context.read_json("profile", PROFILE_FILE)
    return latency_cost(source.channel_map, {name: LayerTime(**parts) for name, parts in layers["layers"].items()})


def _cost(context: Context, source: Source) -> tuple[str, Cost]:
    """What the target is a fraction of: in words, and as a function of the widths."""
    match context.params.get("target", "parameters"):
        case "parameters":
            return "parameters", ParameterCount(source.channel_map)
        case "macs":
            return "multiply-accumulates", MacCount(source.channel_map)
        case _:
            return "latency", latency_of(context, source)


def _evidence(context: Context, source: Source) -> dict[str, Callable[[], Any]]:
    """What there is to look at, read when it is asked for."""
    roles = context.task.inputs
    evidence: dict[str, Callable[[], Any]] = {"errors": lambda: _errors(context, source)}
    if "scores" in roles:
        evidence["scores"] = lambda: load(context.read("scores", SCORES_FILE))
    if "losses" in roles:
        evidence["losses"] = lambda: _losses(context, source)
    if "design0" in roles:
        evidence["designs"] = lambda: _designs(context)
    if "profile" in roles:
        evidence["latency"] = lambda: latency_of(context, source)
    return evidence


def _errors(context: Context, source: Source) -> Errors:
    """Of removed channels where there are scores, else of merged ones."""
    if "scores" in context.task.inputs:
        return removal_errors(source.state, source.channel_map, load(context.read("scores", SCORES_FILE)))
    return merging_errors(source.state, source.channel_map)


def _losses(context: Context, source: Source) -> Errors:
    measured: Any = context.read_json("losses", LOSSES_FILE)
    return {
        name: loss_curve(width, {int(kept): grown for kept, grown in measured[name].items()})
        for name, width in source.channel_map.widths().items()
    }


def _designs(context: Context) -> list[Design]:
    roles = [role for role in context.task.inputs if role.startswith("design") and not role.endswith("_channels")]
    return [
        Design(channel_map=read_channels(context, f"{role}_channels"), widths=dict(context.measured(role)["widths"]))
        for role in roles
    ]


def _memory(source: Source, batch_size: int) -> tuple[Cost, Sequence[Cost]]:
    every = dict.fromkeys(source.channel_map.shapes, float(_NUMBER_BYTES))
    stored = Cost(source.channel_map.widths(), *cost_of_tensors(source.channel_map, every))
    module, shape = rebuild(source.recipe, source.state), source.recipe.input_shape
    weight = float(_NUMBER_BYTES * batch_size)
    return stored, live_activations(module, shape, source.channel_map, weight=weight)
