"""Loads a sweep file with dotted overrides into a `SweepSpec`; reports every fault at once, with path and remedy.

Reads the YAML, and what it takes many models from: whether data, checkpoints and clusters exist is checked where they
are used.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from jobs.defaults import with_defaults
from jobs.errors import Fault, InvalidFileError, nearest
from jobs.many_models import with_many_models
from jobs.problems import problem, shown, written
from jobs.shipped import suggestion, sweep_file
from jobs.spec.allocation import ALLOCATION_FORMS, ALLOCATION_KINDS
from jobs.spec.attack import ATTACK_KINDS
from jobs.spec.augment import AUGMENT_FORMS, STEP_FORMS
from jobs.spec.inputs import INPUT_FORMS
from jobs.spec.methods import METHOD_KINDS
from jobs.spec.objective import OBJECTIVE_KINDS
from jobs.spec.protocols import PROTOCOL_KINDS
from jobs.spec.sparsity import SPARSIFY_KINDS
from jobs.spec.sweep import SweepSpec
from jobs.yaml_loader import MOST_CHARACTERS, parse_yaml

_MOST_FAULTS, _DEEPEST, _MOST_SEEDS = 50, 30, 20


def load_sweep(path: str | Path, overrides: Sequence[str] = ()) -> SweepSpec:
    """Read a sweep file.

    Args:
        path: The YAML file, or the name of a sweep that is shipped.
        overrides: `dotted.path=value`, the value in YAML (`seeds=[0,1]`), or `@file`: a YAML file that maps dotted
            paths to values. Applied one after the other, before validation.

    Raises:
        InvalidFileError: Anything is wrong with the file or the overrides; it lists every fault.
    """
    document, origins, faults = read_document(path, overrides)
    document, missing = with_many_models(document)
    faults.extend(_with_origin(fault, origins) for fault in missing)
    if missing:
        raise InvalidFileError(str(path), faults)
    spec, invalid = validate(with_defaults(document))
    faults.extend(_with_origin(fault, origins) for fault in invalid)
    if faults or spec is None:
        raise InvalidFileError(str(path), faults)
    return spec


def read_document(
    path: str | Path, overrides: Sequence[str] = ()
) -> tuple[dict[str, Any], Mapping[str, str], list[Fault]]:
    """A sweep file as it is written, with overrides applied and nothing filled in.

    Args:
        path: As for `load_sweep`.
        overrides: As for `load_sweep`.

    Returns:
        The document; path -> the override that set it; the faults of the overrides.

    Raises:
        InvalidFileError: There is no document.
    """
    source = str(path)
    try:
        text = _read(sweep_file(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFileError(
            source, [Fault(path="", problem=f"cannot be read ({error}); {suggestion(path)}")]
        ) from None
    document, faults = parse_yaml(text)
    if document is None and not faults:
        faults = [Fault(path="", problem="the file is empty; a sweep needs name, data, models and methods")]
    elif not faults and not isinstance(document, dict):
        faults = [Fault(path="", problem=f"holds a {type(document).__name__}; a sweep is a mapping of keys to values")]
    if not isinstance(document, dict):
        raise InvalidFileError(source, faults)
    origins: dict[str, str] = {}
    for override in overrides:
        apply = _apply_file if override.startswith("@") else _apply_override
        paths, found = apply(document, override)
        origins |= dict.fromkeys(paths, override)
        faults.extend(found)
    return document, origins, faults


def _read(path: str | Path) -> str:
    """A file's text; of one that is too long, what is enough to say so."""
    with Path(path).open(encoding="utf-8") as stream:
        return stream.read(MOST_CHARACTERS + 1)


def _apply_file(document: dict[str, Any], override: str) -> tuple[list[str], list[Fault]]:
    """Apply a file of overrides; the paths that it sets, and its faults."""
    try:
        text = _read(sweep_file(override[1:]))
    except (OSError, UnicodeDecodeError) as error:
        return [], [Fault(path=override, problem=f"cannot be read ({error}); give a YAML file of dotted.path: value")]
    changes, faults = parse_yaml(text)
    if faults:
        return [], [Fault(path=f"{override}: {fault.path}", problem=fault.problem) for fault in faults]
    if not isinstance(changes, dict):
        return [], [Fault(path=override, problem="holds no overrides; write dotted.path: value, one per line")]
    found = [fault for path, value in changes.items() for fault in _set(document, str(path), value)]
    return list(map(str, changes)), found


def _apply_override(document: dict[str, Any], override: str) -> tuple[list[str], list[Fault]]:
    """Apply one override; the path that it sets, and its faults."""
    path, separator, text = override.partition("=")
    path = path.strip()
    if not separator or not path:
        return [], [Fault(path=override, problem="is not an override; write dotted.path=value, e.g. seeds=[0,1]")]
    value, faults = parse_yaml(text)
    if faults:
        told = f"the value of the override, {shown(text)}, cannot be read: {faults[0].problem}"
        return [], [Fault(path=path, problem=told)]
    return [path], _set(document, path, value)


def _with_origin(fault: Fault, origins: Mapping[str, str]) -> Fault:
    """The fault; where an override put the value there, with that."""
    setting = [path for path in origins if fault.path == path or fault.path.startswith((f"{path}.", f"{path}["))]
    if not setting:
        return fault
    return Fault(path=fault.path, problem=f"{fault.problem} (from the override {origins[max(setting, key=len)]})")


def _set(document: dict[str, Any], path: str, value: Any) -> list[Fault]:
    *parents, last = path.split(".")
    if len(parents) > _DEEPEST:
        return [Fault(path=f"{path[:40]}...", problem=f"has more than {_DEEPEST} levels; a sweep has fewer")]
    node = document
    for parent in parents:
        child = node.setdefault(parent, {})
        if child is None:
            child = node[parent] = {}
        if not isinstance(child, dict):
            return [
                Fault(path=path, problem=f"cannot be set: '{parent}' holds a value, not keys; set '{parent}' whole")
            ]
        node = child
    node[last] = value
    return []


def validate(document: Mapping[str, Any]) -> tuple[SweepSpec | None, list[Fault]]:
    """The sweep of a document, or what is wrong with it: the first faults, and how many more there are."""
    # Through JSON, where pydantic's strict mode takes lists for tuples but still distinguishes 1, 1.0, true and "1".
    try:
        return SweepSpec.model_validate_json(json.dumps(document, default=str)), []
    except ValidationError as error:
        found = error.errors(include_url=False)
        more = [Fault(path="", problem=f"and {len(found) - _MOST_FAULTS} more problems; mend these first")]
        return None, [*map(_fault, found[:_MOST_FAULTS]), *(more if len(found) > _MOST_FAULTS else [])]


FaultPath = tuple[int | str, ...]
_KINDS: Mapping[int | str, tuple[str, ...]] = {"methods": METHOD_KINDS, "protocols": PROTOCOL_KINDS}
_KINDS_WITHIN: Mapping[int | str, tuple[str, ...]] = {
    "sparsify": SPARSIFY_KINDS,
    "objective": OBJECTIVE_KINDS,
    "allocation": ALLOCATION_FORMS,
    "inputs": INPUT_FORMS,
    "augment": AUGMENT_FORMS,
}


def _plain(location: FaultPath) -> FaultPath:
    """The location as the file has it: without what pydantic adds for mapping keys and kinds."""
    return tuple(part for position, part in enumerate(location) if part != "[key]" and not _is_kind(location, position))


def _is_kind(location: FaultPath, position: int) -> bool:
    """Whether pydantic inserted a kind here: methods, name, *kind*, allocation, *form*, *kind*, field."""
    return position > 0 and location[position] in _kinds_at(location[:position])


def _kinds_at(location: FaultPath) -> tuple[str, ...]:
    """The allowed kinds of a record at a location, as pydantic gives it."""
    if len(location) == 2:
        return _KINDS.get(location[0], ())
    if location[:-1] == ("measure", "attack", "by"):
        return ATTACK_KINDS
    if location[-2:-1] == ("allocation",) and location[-1] in ALLOCATION_FORMS:
        return ALLOCATION_KINDS
    if location[-3:-1] == ("augment", "list"):
        return STEP_FORMS
    return _KINDS_WITHIN.get(location[-1], ())


def _dotted(location: FaultPath) -> str:
    path = ""
    for part in _plain(location):
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _fault(details: ErrorDetails) -> Fault:
    location, context = details["loc"], details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            told = f"unknown key; {nearest(str(location[-1]), _keys_at(location[:-1]))}"
        case "union_tag_not_found":
            told = f"has no kind; say kind: {', '.join(_kinds_at(location))}"
        case "union_tag_invalid":
            told = f"kind '{context['tag']}' is unknown; {nearest(str(context['tag']), _kinds_at(location))}"
        case "tuple_type" | "list_type":
            value = details["input"]
            counted = isinstance(value, int) and location[-1] == "seeds" and 0 < value <= _MOST_SEEDS
            told = f"{shown(value)} is not a list; write {written(range(value) if counted else [value])}"
        case _:
            told = problem(details)
    return Fault(path=_dotted(location), problem=told)


@cache
def _schema() -> dict[str, Any]:
    return SweepSpec.model_json_schema()


def _keys_at(location: FaultPath) -> list[str]:
    """The keys that are allowed at a location, from the JSON schema."""
    schema = _schema()

    def variants(node: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        choices = node.get("anyOf") or node.get("oneOf")
        return [variant for choice in choices for variant in variants(choice)] if choices else [node]

    nodes = [schema]
    for position, part in enumerate(location):
        if _is_kind(location, position):
            kinds = [node.get("properties", {}).get("kind", {}).get("const") for node in nodes]
            of_kind = [node for node, kind in zip(nodes, kinds, strict=True) if kind == part]
            nodes = of_kind or nodes  # the form of an allocation (name or record) is not in the schema
            continue
        # A mapping of named records (models, methods) appears as a pattern that its names match.
        children = [
            child
            for node in nodes
            for child in (
                node.get("properties", {}).get(part),
                node.get("items"),
                *node.get("patternProperties", {}).values(),
            )
            if child
        ]
        nodes = [variant for child in children for variant in variants(child)]
    return [key for node in nodes for key in node.get("properties", {})]
