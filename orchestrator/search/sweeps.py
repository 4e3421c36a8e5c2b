"""The sweeps of a search: the sweep file with the compressions that are tried, on the split that is asked."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from jobs.errors import BadInputError, nearest
from jobs.problems import problem
from jobs.spec.allocation import GuidedAllocation, PredefinedAllocation
from jobs.spec.criterion import CriterionMethod
from jobs.spec.methods import BicubicMethod, DenseMethod
from jobs.spec.protocols import NO_PROTOCOL
from jobs.spec.sweep import SweepSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """A method whose compression is searched on one model, before one protocol.

    Attributes:
        model: The model.
        method: The method's name in the sweep file.
        protocol: The protocol.
        name: Its name in the sweeps of the search, where every method has one model and one protocol.
    """

    model: str
    method: str
    protocol: str
    name: str

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.model}/{self.method}" + ("" if self.protocol == NO_PROTOCOL else f"/{self.protocol}")


def searched_methods(spec: SweepSpec, named: Sequence[str] = ()) -> tuple[Searched, ...]:
    """What is searched: each method on each of its models, before each of its protocols.

    Args:
        spec: The sweep file.
        named: The methods; default: all that prune to any compression, the random control excepted.

    Raises:
        BadInputError: A method is unknown or has no compression to search, or none is left.
    """
    for name in named:
        if name not in spec.methods:
            raise BadInputError(f"method '{name}': {nearest(name, spec.methods)}")
        if reason := _fixed(spec, name):
            raise BadInputError(f"method '{name}' {reason}, so there is nothing to search; name another one")
    methods = tuple(dict.fromkeys(named)) or tuple(
        name for name in spec.methods if not _fixed(spec, name) and not _is_random(spec, name)
    )
    if not methods:
        raise BadInputError(f"sweep {spec.name} has no method whose compression can be searched; name or add one")
    return tuple(each for name in methods for each in _of_method(spec, name))


def _fixed(spec: SweepSpec, name: str) -> str:
    """Why a method has no compression to search; empty where it has."""
    if isinstance(spec.methods[name], DenseMethod | BicubicMethod):
        return "removes nothing"
    return "has predefined widths" if isinstance(spec.allocation_of(name), PredefinedAllocation) else ""


def _is_random(spec: SweepSpec, name: str) -> bool:
    method = spec.methods[name]
    return isinstance(method, CriterionMethod) and method.criterion == "random"


def _of_method(spec: SweepSpec, name: str) -> list[Searched]:
    method = spec.methods[name]
    models = [model for model in spec.models if method.applies_to(model)]
    found = []
    for model in models:
        for protocol in method.protocols:
            parts = [name, *([model] if len(models) > 1 else []), *([protocol] if len(method.protocols) > 1 else [])]
            found.append(Searched(model=model, method=name, protocol=protocol, name="-".join(parts)))
    return found


def sweep_of(
    spec: SweepSpec, name: str, split: Literal["validation", "test"], asked: Mapping[Searched, Collection[int]]
) -> SweepSpec:
    """A sweep of the dense networks and of what is searched, at some compressions.

    Its networks have the keys that they have in the sweep file, unless they race there: in a search all are trained to
    the end. On the validation split it measures the metrics alone.

    Args:
        spec: The sweep file.
        name: The sweep's name.
        split: What its networks are evaluated on.
        asked: The compressions of each, in whole percent; may be empty.

    Raises:
        BadInputError: The sweep file has no dense method, or names that cannot be told apart.
    """
    document = spec.model_dump(mode="json")
    measure = document["measure"] | ({"latency": None, "quantize": []} if split == "validation" else {})
    document |= {
        "name": name,
        "data": {**document["data"], "split": split},
        "models": {model: _evaluated_on(split, written) for model, written in document["models"].items()},
        "compressions": None,
        "controls": False,
        "measure": measure,
        "methods": _methods(spec, document["methods"], asked),
        "protocols": {
            each: _without_race(_evaluated_on(split, written)) for each, written in document["protocols"].items()
        },
    }
    try:
        return SweepSpec.model_validate_json(json.dumps(document))
    except ValidationError as error:
        faults = "; ".join(problem(each) for each in error.errors(include_url=False))
        raise BadInputError(f"the sweep {name}, which the search would run, is not valid: {faults}") from error


def _evaluated_on(split: str, written: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model, or a protocol, whose own data set has that split, too."""
    return {**written, "data": {**written["data"], "split": split}} if written.get("data") else written


def _without_race(protocol: Mapping[str, Any]) -> Mapping[str, Any]:
    return {setting: value for setting, value in protocol.items() if setting != "race"}


def _methods(
    spec: SweepSpec, written: Mapping[str, Any], asked: Mapping[Searched, Collection[int]]
) -> dict[str, dict[str, Any]]:
    dense = next((name for name, method in spec.methods.items() if isinstance(method, DenseMethod)), None)
    if dense is None:
        raise BadInputError(
            f"sweep {spec.name} has no dense network to compare with; add `dense: {{kind: dense}}` to its methods"
        )
    models = list(dict.fromkeys(each.model for each in asked))
    controls = list(dict.fromkeys([NO_PROTOCOL, *(spec.control_of(each.protocol) for each in asked)]))
    methods = {dense: {**written[dense], "models": models, "protocols": controls}}
    for each, percents in asked.items():
        if each.name in methods or (each.name in spec.methods and each.name != each.method):
            raise BadInputError(f"two methods would be called '{each.name}' in the search; rename '{each.method}'")
        if percents:
            methods[each.name] = _at(written[each.method], [each.model], each.protocol, percents)
    for each, percents in asked.items():
        guided = spec.allocation_of(each.method)
        if percents and isinstance(guided, GuidedAllocation) and guided.method not in methods:
            methods[guided.method] = _at(written[guided.method], [each.model], NO_PROTOCOL, percents)
    return methods


def _at(written: Mapping[str, Any], models: list[str], protocol: str, percents: Collection[int]) -> dict[str, Any]:
    """A method of the sweep file, on some models, before one protocol, at some compressions."""
    compressions = [percent / 100 for percent in sorted(percents)]
    return {**written, "models": models, "protocols": [protocol], "compressions": compressions}
