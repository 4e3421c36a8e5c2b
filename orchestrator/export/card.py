"""The model card of an exported network: what it is, how good, how to load it, and where it comes from.

The template is `card.md.j2`.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from jobs.percent import to_percent
from jobs.spec.protocols import NO_PROTOCOL
from jobs.weights import OWN, is_file
from orchestrator.export.chosen import ChosenNetwork
from orchestrator.export.numbers import metric_rows, metric_text, size_text
from orchestrator.export.uses import uses_of
from orchestrator.report.page import sweep_yaml
from workers.export.description import EXPORTED_WEIGHTS_FILE
from workers.export.formats import ONNX_FILE, ExportedFile
from workers.export.graph import input_names
from workers.export.sparsity import sparsity_of
from workers.network import NetworkRecipe


def model_card(
    chosen: ChosenNetwork,
    files: Sequence[ExportedFile] = (),
    missing: Mapping[str, str] | None = None,
    *,
    tensorrt: bool = False,
) -> str:
    """The card of a network, in Markdown.

    Args:
        chosen: The network.
        files: The files beside the card, if there are some.
        missing: Name of a file -> why it could not be written.
        tensorrt: Say how TensorRT builds an engine from the ONNX graph.
    """
    record, point, candidate = chosen.record, chosen.selected.point, chosen.selected.candidate
    kept = {of: [(name, each.left[name], full) for name, full in each.full.items()] for of, each in point.kept.items()}
    return _template().render(
        title=chosen.selected.candidate.label,
        sweep_name=record.name,
        facts=_facts(chosen),
        note=point.note,
        files=list(zip(files, uses_of([each.name for each in files], chosen.recipe), strict=True)),
        missing=missing or {},
        trtexec=_trtexec(chosen) if tensorrt else "",
        split=record.split_of([candidate.plan]),
        num_seeds=len(candidate.points),
        rows=metric_rows(chosen),
        timed_on=", ".join(f"{name} {text}" for name, text in chosen.timed_on.items()),
        has_dense=chosen.dense is not None,
        kept=kept,
        masks=sparsity_of(chosen.module.state_dict(), chosen.masks),
        sweep=sweep_yaml(record),
        versions=[*sorted(record.versions.items()), ("git commit", record.git_commit or "unknown")],
        digests=[
            (f"SHA-256 of {EXPORTED_WEIGHTS_FILE}", sha256(chosen.weights).hexdigest()),
            ("task that made the network", chosen.key),
            ("task that evaluated it", point.key),
            *((f"task that measured it further ({each.stage})", each.key) for each in point.further),
        ],
    )


@cache
def _template() -> Template:
    """The card's template: an undefined name is an error."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # Markdown, not HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    environment.filters["size"] = size_text
    return environment.get_template("card.md.j2")


def _facts(chosen: ChosenNetwork) -> list[tuple[str, str]]:
    """What it is and how it came about, as pairs of a heading and a text."""
    record, selected = chosen.record, chosen.selected
    point, candidate = selected.point, selected.candidate
    model = record.spec["models"][candidate.model]
    method = record.spec["methods"].get(candidate.method, {})
    kinds = [str(method[name]) for name in ("kind", "criterion") if method.get(name)]
    reached = metric_text("compression", point.metrics["compression"], point.objective)
    facts = [
        ("network", f"`{_call(chosen.recipe)}`"),
        ("made from", _origin(chosen)),
        ("licence of the weights", model.get("licence") or "not stated in the sweep file"),
        ("data set", candidate.dataset),
        ("images", _images(chosen)),
        ("method", f"{candidate.method} ({', '.join(kinds)})" if kinds else candidate.method),
        ("protocol after pruning", "none" if candidate.protocol == NO_PROTOCOL else candidate.protocol),
        (
            "compression",
            f"{to_percent(candidate.asked)} % of {_target(record.spec)} asked, {reached} of parameters gone",
        ),
        ("seed", str(selected.seed)),
        ("chosen", selected.why or "by name"),
    ]
    if chosen.source_changed:
        facts.append(("attention", f"the module of {chosen.recipe.network} was edited after the sweep ran"))
    return facts


def _call(recipe: NetworkRecipe) -> str:
    arguments = [f"{name}={value!r}" for name, value in recipe.arguments.items()]
    around = [f"backbone={_call(recipe.backbone)}"] if recipe.backbone else []
    return f"{recipe.network}({', '.join([*around, *arguments])})"


def _origin(chosen: ChosenNetwork) -> str:
    name = chosen.selected.candidate.model
    location = chosen.record.spec["models"][name].get("weights")
    if location is None:
        return "random weights, trained by this sweep"
    trained = ", trained by this sweep" if chosen.record.spec["models"][name].get("train") else ""
    digest = chosen.record.environment.get("weights", {}).get(name, "unknown")
    if location == OWN:
        return f"the weights that its own callable loads{trained}"
    if not is_file(location):
        return f"the weights {digest}{trained}"
    return f"the weights {Path(location).name} (fingerprint {digest}){trained}"


def _images(chosen: ChosenNetwork) -> str:
    inputs = chosen.recipe.inputs
    if not inputs.is_plain:
        return str(inputs)
    shape = " x ".join(map(str, inputs.tensors[0].shape))
    normalize = chosen.record.data_of(chosen.selected.curve).get("normalize")
    if not normalize:
        return f"{shape}, pixels in [0, 1]"
    mean, std = (json.dumps(list(normalize[name])) for name in ("mean", "std"))
    return f"{shape}, pixels in [0, 1], then less mean {mean}, over std {std}"


def _target(spec: Mapping[str, object]) -> str:
    return str(spec.get("target") or "parameters").replace("macs", "multiply-accumulates")


def _trtexec(chosen: ChosenNetwork) -> str:
    inputs = chosen.recipe.inputs.tensors
    names = input_names(len(inputs))
    shapes = [
        ",".join(f"{name}:{'x'.join(map(str, (batch, *each.shape)))}" for name, each in zip(names, inputs, strict=True))
        for batch in (1, 32, 256)
    ]
    sparse = sparsity_of(chosen.module.state_dict(), chosen.masks)
    extra = " --sparsity=enable" if any(each.two_of_four for each in sparse.values()) else ""
    return (
        f"trtexec --onnx={ONNX_FILE} --minShapes={shapes[0]} --optShapes={shapes[1]} --maxShapes={shapes[2]} "
        f"--fp16{extra} --saveEngine=model.plan"
    )
