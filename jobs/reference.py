"""Generates the sweep file's reference from field descriptions: `python -m jobs.reference > docs/sweep-file.md`."""

from typing import Any

from jobs.problems import written
from jobs.spec.many import ManyModels
from jobs.spec.settings import SETTINGS
from jobs.spec.sweep import SweepSpec

_HEAD = """# The sweep file

One YAML file. Single values can be changed on the command line: `orchard run sweep.yaml seeds=[0,1]`. Unknown keys,
wrong types and values out of range are reported all at once. This page is generated (`jobs/reference.py`).
"""


def sweep_reference() -> str:
    """The page, in Markdown: a table per record."""
    schema = SweepSpec.model_json_schema()
    parts = [_HEAD, _section("SweepSpec", schema)]
    parts += [_section("ManyModels", ManyModels.model_json_schema())]
    parts += [_section(name, record) for name, record in schema["$defs"].items()]
    return "\n".join([*parts, _settings()])


def _settings() -> str:
    """What each of the named settings of a training is."""
    rows = [
        f"| `{name}` | {', '.join(f'`{key}: {_plain(value)}`' for key, value in values.items())} |"
        for name, values in SETTINGS.items()
    ]
    summary = "What a training's `settings` name. Values given beside them override them; the rest is as in TrainSpec."
    return "\n".join(["## Named settings\n", summary, "", "| settings | |", "|---|---|", *rows, ""])


def _section(name: str, record: dict[str, Any]) -> str:
    rows = [
        f"| `{key}` | {_type(field)} | {_default(key, field, record)} | {field.get('description', '')} |"
        for key, field in record["properties"].items()
    ]
    summary = " ".join(record.get("description", "").split())
    return "\n".join([f"## {name}\n", summary, "", "| key | type | default | |", "|---|---|---|---|", *rows, ""])


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{_plain(value)}`" for value in field["enum"])
    choices = field.get("anyOf") or field.get("oneOf")
    if choices:
        return " or ".join(_type(choice) for choice in choices if choice.get("type") != "null")
    if fixed := field.get("prefixItems"):
        return f"{len(fixed)} x {_type(fixed[0])}"
    if field.get("type") == "array":
        each = _type(field["items"])
        return f"list of ({each})" if " or " in each else f"list of {each}"
    if field.get("type") == "object":
        further = field.get("additionalProperties")
        inner = next(iter(field.get("patternProperties", {}).values()), further if isinstance(further, dict) else None)
        return f"name -> {_type(inner)}" if inner else "mapping"
    return f"{field.get('type', 'any')}{_bounds(field)}"


def _plain(value: object) -> str:
    """A value as a file has it; text as it is."""
    return value if isinstance(value, str) else written(value)


def _bounds(field: dict[str, Any]) -> str:
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {field[key]:.10g}" for key, sign in signs.items() if key in field]
    return f" {', '.join(bounds)}" if bounds else ""


def _default(key: str, field: dict[str, Any], record: dict[str, Any]) -> str:
    """What a record has where the file says nothing: of trainings with settings by default, the value of those."""
    named = SETTINGS.get(record["properties"].get("settings", {}).get("default"), {})
    if key in named:
        return f"`{_plain(named[key])}`"
    if key in record.get("required", []):
        return "required"
    default = field.get("default")
    if default is None or isinstance(default, dict):
        return ""
    return f"`{_plain(default)}`"


if __name__ == "__main__":
    print(sweep_reference(), end="")
