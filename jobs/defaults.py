"""What a sweep file leaves out and depends on several of its parts: controls, data of models, training settings.

Works on the document before it is validated, and leaves whatever it does not understand to the validation.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs import names
from jobs.spec.settings import OBJECTIVE_SETTINGS


def with_defaults(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the missing controls, and with settings where trainings name none."""
    return _with_settings(_with_controls(_with_data(document)))


def _with_data(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what the `data` of models leave out: without a data set they change some of the sweep's."""
    sweeps, models = document.get("data"), document.get("models")
    if not isinstance(sweeps, dict) or not isinstance(models, dict):
        return document
    return {**document, "models": {name: _with_own_data(model, sweeps) for name, model in models.items()}}


def _with_own_data(model: Any, sweeps: Mapping[str, Any]) -> Any:
    own = model.get("data") if isinstance(model, dict) else None
    if not isinstance(own, dict) or "dataset" in own:
        return model
    merged = {**sweeps, **own}
    if isinstance(sweeps.get("arguments"), dict) and isinstance(own.get("arguments"), dict):
        merged["arguments"] = {**sweeps["arguments"], **own["arguments"]}
    return {**model, "data": merged}


def _with_controls(document: dict[str, Any]) -> dict[str, Any]:
    methods = document.get("methods")
    if not isinstance(methods, dict) or not methods or document.get("controls", True) is not True:
        return document
    given = [method for method in methods.values() if isinstance(method, dict)]
    missing: dict[str, dict[str, Any]] = {}
    if "dense" not in methods and not any(method.get("kind") == "dense" for method in given):
        missing["dense"] = {"kind": "dense"}
    asked = [] if "compressions" in document else _all_compressions(given)
    if "random" not in methods and not any(method.get("criterion") == "random" for method in given):
        missing["random"] = {"kind": "criterion", "criterion": "random", **({"compressions": asked} if asked else {})}
    enlarging = _models_of("super-resolution", document)
    if enlarging and "bicubic" not in methods and not any(method.get("kind") == "bicubic" for method in given):
        missing["bicubic"] = {"kind": "bicubic", "models": enlarging}
    return {**document, "methods": {**missing, **methods}}


def _all_compressions(methods: Sequence[dict[str, Any]]) -> list[Any]:
    """The compressions of all methods, those of predefined widths included."""
    lists = [method["compressions"] for method in methods if isinstance(method.get("compressions"), list)]
    allocations = [method["allocation"] for method in methods if isinstance(method.get("allocation"), dict)]
    lists += [[each["compression"]] for each in allocations if "compression" in each]
    lists += [[names.CONFIGURATIONS[each["name"]]] for each in allocations if each.get("name") in names.CONFIGURATIONS]
    return list({repr(value): value for values in lists for value in values}.values())


def _with_settings(document: dict[str, Any]) -> dict[str, Any]:
    """The document with settings in its trainings: those of the model's objective, elsewhere of the sweep's."""
    objective = _kind(document.get("objective"))
    named = OBJECTIVE_SETTINGS.get(objective)
    models, protocols = document.get("models"), document.get("protocols")
    if isinstance(models, dict):
        models = {name: _with_model_settings(model, document.get("objective")) for name, model in models.items()}
        document = {**document, "models": models}
    training, tuning = ({"settings": each} for each in named) if named else ({}, {})
    methods = document.get("methods")
    if isinstance(methods, dict):
        methods = {name: _with_method_settings(method, training, tuning) for name, method in methods.items()}
        document = {**document, "methods": methods}
    if isinstance(protocols, dict):
        protocols = {name: _with_protocol_settings(each, training, tuning) for name, each in protocols.items()}
        document = {**document, "protocols": protocols}
    return document


def _with_model_settings(model: Any, objective: Any) -> Any:
    """A model, or what a transfer makes of one, with the settings of its own objective, else of the given one."""
    if not isinstance(model, dict) or not isinstance(model.get("train"), dict):
        return model
    found = OBJECTIVE_SETTINGS.get(_kind(model.get("objective", objective)))
    return {**model, "train": {"settings": found[0], **model["train"]}} if found else model


def _with_method_settings(method: Any, training: Mapping[str, Any], fine_tuning: Mapping[str, Any]) -> Any:
    """A method with what its own training has where it says nothing else; between rounds that is fine-tuning."""
    if not isinstance(method, dict):
        return method
    if isinstance(method.get("train"), dict):
        settings = fine_tuning if method.get("kind") in ("criterion", "reconstruction") else training
        method = {**method, "train": {**settings, **method["train"]}}
    if isinstance(method.get("sparsify"), dict):
        method = {**method, "sparsify": _with_method_settings(method["sparsify"], training, fine_tuning)}
    return method


def _with_protocol_settings(protocol: Any, training: Mapping[str, Any], fine_tuning: Mapping[str, Any]) -> Any:
    """A protocol with what its training has where it says nothing else; a transfer has that of its own objective."""
    if not isinstance(protocol, dict):
        return protocol
    kind, train = protocol.get("kind"), protocol.get("train")
    if kind == "transfer":
        return _with_model_settings(protocol, None)
    if kind == "fine-tune" and isinstance(train, dict | None):
        return {**protocol, "train": {**fine_tuning, **(train or {})}}
    if kind == "scratch" and isinstance(train, dict):
        return {**protocol, "train": {**training, **train}}
    return protocol


def _models_of(kind: str, document: Mapping[str, Any]) -> list[str]:
    """The models of a document with an objective of that kind, in order."""
    models = document.get("models")
    given = models.items() if isinstance(models, dict) else ()
    return [
        name
        for name, model in given
        if _kind((model.get("objective") if isinstance(model, dict) else None) or document.get("objective")) == kind
    ]


def _kind(objective: Any) -> str:
    """The kind of an objective as a document gives it: a name, or a record."""
    return str(objective.get("kind")) if isinstance(objective, dict) else str(objective)
