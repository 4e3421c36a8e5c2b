"""`orchard groups`: the channel groups of a sweep's networks, and what the sweep file says of them."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console

from jobs.errors import BadInputError, nearest
from jobs.identity import Json
from jobs.load import load_sweep
from jobs.spec.allocation import PredefinedAllocation
from jobs.spec.fold import FoldMethod
from jobs.spec.integral import IntegralMethod
from jobs.spec.sweep import SweepSpec
from orchestrator.commands.consoles import output_console
from orchestrator.planning.allocation import limits_of

if TYPE_CHECKING:
    from rich.table import Table

    from workers.allocation import WidthRange
    from workers.inputs import InputSpec
    from workers.inspection import InspectedGroup, Inspection
    from workers.network import NetworkRecipe


def groups(sweep: str, model: str | None, overrides: Sequence[str], *, method: str | None, as_json: bool) -> None:
    """Print the channel groups of a model of a sweep file, or of all.

    Args:
        sweep: The file.
        model: The model; None: all.
        overrides: Changes to the file.
        method: The method whose `prune` counts, too; None: only what the sweep and the model say.
        as_json: Print JSON.

    Raises:
        BadInputError: There is no such model or method, a network cannot be built or traced, or a pattern of `prune`
            matches nothing, which is said after the groups were printed.
    """
    spec = load_sweep(sweep, overrides)
    if model is not None and model not in spec.models:
        raise BadInputError(f"model '{model}': {nearest(model, spec.models)}")
    if method is not None and method not in spec.methods:
        raise BadInputError(f"method '{method}': {nearest(method, spec.methods)}")
    names = [model] if model is not None else list(spec.models)
    found, faults = {}, []
    for name in names:
        found[name], fault = _inspect(spec, name, method)
        faults += [f"model {name}: {fault}"] if fault else []
    if as_json:
        click.echo(json.dumps({name: _document(each) for name, each in found.items()}, indent=2))
    else:
        console = output_console()
        for name, each in found.items():
            _print(name, each, console)
    if faults:
        raise BadInputError("; ".join(faults))


def check_layers(spec: SweepSpec) -> None:
    """Reject layers that a sweep file names and a model does not have, before anything runs.

    They are patterns of `prune`, and the groups of predefined widths, which may not be wider than their layers. A
    network that cannot be built here is left to its tasks. Where none is named no network is built.

    Raises:
        BadInputError: Some match no layer, or have fewer channels than should stay.
    """
    asked: dict[str, dict[str, list[str]]] = {}
    widths: dict[str, dict[str, Mapping[str, int]]] = {}
    for name, method in spec.methods.items():
        allocation = spec.allocation_of(name)
        for model in spec.models if allocation else ():
            if not method.applies_to(model):
                continue
            limits = limits_of(spec.prune_of(model, name))
            named = limits.patterns if limits is not None and limits.has_patterns else {}
            given = {f"prune.{setting}": patterns for setting, patterns in named.items()}
            if isinstance(allocation, PredefinedAllocation) and allocation.widths:
                of_method = f"methods.{name}.allocation.widths"
                given[of_method] = tuple(allocation.widths)
                widths.setdefault(model, {})[of_method] = allocation.widths
            for setting, patterns in given.items():
                asked.setdefault(model, {}).setdefault(setting, []).extend(patterns)
    if not asked:
        return
    from workers.inputs import InputSpec
    from workers.inspection import layer_faults

    faults: list[str] = []
    for model, of_model in asked.items():
        try:
            found = layer_faults(_recipe(spec, model, InputSpec.of_shape(())), of_model, widths.get(model, {}))
        except BadInputError:
            continue
        faults += [f"model {model}: {fault}" for fault in dict.fromkeys(found)]
    if faults:
        raise BadInputError("; ".join(faults))


def _inspect(spec: SweepSpec, model: str, method: str | None) -> "tuple[Inspection, str]":
    """What of a model can be pruned; and what is wrong with the patterns that the sweep file has for it."""
    from workers.data import load_dataset
    from workers.inputs import InputSpec
    from workers.inspection import inspect, with_limits

    data = spec.data_of(model)
    given = spec.models[model].inputs
    if given is None:
        inputs = load_dataset(data.dataset, data.root, arguments=data.arguments).inputs
    else:
        inputs = InputSpec.of(given)
    found, channel_map = inspect(_recipe(spec, model, inputs))
    prune = spec.prune.overridden_by(spec.models[model].prune) if method is None else spec.prune_of(model, method)
    mixed = method is not None and isinstance(spec.methods[method], IntegralMethod | FoldMethod)
    try:
        multiple = prune.common_multiple or 1
        return with_limits(found, channel_map, limits_of(prune), multiple=multiple, mixed=mixed), ""
    except BadInputError as error:
        return found, str(error)


def _recipe(spec: SweepSpec, model: str, inputs: "InputSpec") -> "NetworkRecipe":
    """The recipe of a model's network; of a transfer, with the other model's as its backbone."""
    from workers.network import NetworkRecipe

    asked, transfer = spec.models[model], spec.transfer_of(model)
    if asked.transfer is not None and transfer is not None:
        return NetworkRecipe(
            network=transfer.network,
            arguments=transfer.arguments,
            inputs=inputs,
            backbone=_recipe(spec, asked.transfer.model, inputs),
            parts=asked.prunable or (),
        )
    return NetworkRecipe(
        network=asked.network or "",
        arguments=asked.arguments,
        inputs=inputs,
        parts=asked.prunable or (),
    )


def _print(name: str, found: "Inspection", console: Console) -> None:
    shape = ", ".join(" x ".join(map(str, tensor.shape)) for tensor in found.inputs.tensors)
    console.print(
        f"{name}: {found.parameters:,} parameters, {found.macs:,} multiply-accumulates on an input of {shape}; "
        f"{found.prunable:.1%} of the parameters are in {len(found.groups)} groups that can be pruned",
        highlight=False,
        soft_wrap=True,
    )
    if found.groups:
        console.print(_groups_table(found))
        for each in found.groups:
            if each.group.unmixable:
                console.print(
                    f"{each.group.name} stays whole in integral networks and in folding: {each.group.unmixable}",
                    highlight=False,
                    soft_wrap=True,
                )
    if found.refused:
        console.print(_refused_table(found))


def _groups_table(found: "Inspection") -> "Table":
    from rich import box
    from rich.table import Table

    limited = any(each.range for each in found.groups)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("group")
    for heading in ("width", "parameters", "MACs"):
        table.add_column(heading, justify="right")
    table.add_column("layers")
    if limited:
        table.add_column("prune")
    for each in found.groups:
        said = [limit_text(each.range)] if each.range else []
        shares = (f"{each.parameters:.1%}", f"{each.macs:.1%}")
        table.add_row(each.group.name, str(each.group.width), *shares, ", ".join(each.group.layers), *said)
    return table


def _refused_table(found: "Inspection") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title="stay whole", title_justify="left")
    for heading in ("layers", "operator", "in", "reason"):
        table.add_column(heading)
    for each in found.refused:
        table.add_row(", ".join(each.layers), each.operator, each.where, each.reason)
    return table


def limit_text(allowed: "WidthRange") -> str:
    """What a sweep file does to a group, in words."""
    if allowed.why:
        return f"{'stays whole' if allowed.kept else f'{allowed.largest} stay'} ({allowed.why})"
    least = f"at least {allowed.allowed[0]}" if allowed.allowed[0] > allowed.multiple else ""
    multiple = f"multiples of {allowed.multiple}" if allowed.multiple > 1 else ""
    return ", ".join(part for part in (least, multiple) if part)


def _document(found: "Inspection") -> dict[str, Json]:
    return {
        **found.inputs.document(),
        "parameters": found.parameters,
        "macs": found.macs,
        "prunable": found.prunable,
        "groups": [_group_document(each) for each in found.groups],
        "refused": [
            {"layers": list(each.layers), "operator": each.operator, "where": each.where, "reason": each.reason}
            for each in found.refused
        ],
    }


def _group_document(each: "InspectedGroup") -> dict[str, Json]:
    allowed = each.range
    limits: dict[str, Json] = {}
    if allowed is not None:
        limits = {
            "smallest": allowed.allowed[0],
            "largest": allowed.largest,
            "multiple": allowed.multiple,
            "why": allowed.why,
        }
    return {
        "name": each.group.name,
        "width": each.group.width,
        "layers": list(each.group.layers),
        "parameters": each.parameters,
        "macs": each.macs,
        **({"unmixable": each.group.unmixable} if each.group.unmixable else {}),
        **({"prune": limits} if limits else {}),
    }
