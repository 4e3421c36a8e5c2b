"""Makes named models of a folder of checkpoints, or of a table (`jobs.spec.many.ManyModels`).

Works on the document before it is validated; it alone looks at the disk for that.
"""

import csv
import glob
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jobs.errors import Fault, nearest
from jobs.problems import problem
from jobs.spec.many import LABEL_PART, ManyModels
from jobs.spec.models import ModelSpec
from jobs.yaml_loader import parse_yaml

_KEYS = tuple(ManyModels.model_fields)
_NAME = "name"
_COLUMNS = (_NAME, *ModelSpec.model_fields)
_ALIKE = 0.8
"""How alike the names of a column and of a key are, of 1, where the column is taken for a misspelt key."""

Model = dict[str, Any]


def with_many_models(document: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """The document with every model by its name, and what is wrong with the files or the table.

    A document that names its models is returned as it is.
    """
    models = document.get("models")
    if not isinstance(models, dict) or not any(key in models and not isinstance(models[key], dict) for key in _KEYS):
        return document, []
    common = {key: value for key, value in models.items() if key not in _KEYS}
    faults = [
        Fault(path=f"models.{key}", problem=f"unknown key; {nearest(str(key), [*_KEYS, *ModelSpec.model_fields])}")
        for key in common
        if key not in ModelSpec.model_fields
    ]
    try:
        many = ManyModels.model_validate_json(json.dumps({key: models[key] for key in _KEYS if key in models}))
    except ValidationError as error:
        wrong = [(".".join(["models", *map(str, each["loc"])]), problem(each)) for each in error.errors()]
        return document, [*faults, *(Fault(path=path, problem=told) for path, told in wrong)]
    found = _of_files(many.glob, many.label) if many.glob is not None else _of_table(str(many.table))
    named: dict[str, Model] = {}
    for name, model, fault in found:
        if fault is not None:
            faults.append(fault)
        elif name in named:
            faults.append(Fault(path="models", problem=f"two are called '{name}'; give every one a name of its own"))
        else:
            named[name] = _merged(common, model)
    if not named and not faults:
        where = f"no file is like {many.glob}" if many.glob else f"{many.table} has no row below its head"
        faults.append(Fault(path="models", problem=f"{where}; give at least one model"))
    return {**document, "models": named or models}, faults


Found = Iterator[tuple[str, Model, Fault | None]]


def _of_files(pattern: str, label: str | None) -> Found:
    """A model for each file, in the order of their paths."""
    shape = None if label is None else _shape(label)
    for path in sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True)):
        stem = Path(path).stem
        matched = shape and shape.fullmatch(stem)
        if shape is not None and matched is None:
            problem = f"the file {path} is not named like {label}; change the label, or the glob"
            yield "", {}, Fault(path="models.label", problem=problem)
            continue
        labels = matched.groupdict() if matched else {}
        yield _as_name(stem), {"weights": path, **({"labels": labels} if labels else {})}, None


def _shape(label: str) -> re.Pattern[str]:
    """`{optimiser}-lr{rate}` as a pattern whose groups are the labels."""
    parts = LABEL_PART.split(label)
    return re.compile("".join(f"(?P<{part}>.+?)" if odd % 2 else re.escape(part) for odd, part in enumerate(parts)))


def _of_table(file: str) -> Found:
    """A model for each row."""
    path = Path(file).expanduser()
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            head, *rows = list(filter(None, csv.reader(stream))) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        yield "", {}, Fault(path="models.table", problem=f"cannot be read ({error}); give a CSV file")
        return
    columns = [column.strip() for column in head]
    if problem := _problem_of_head(columns):
        yield "", {}, Fault(path="models.table", problem=f"{file}: {problem}")
        return
    digits = len(str(len(rows)))
    for number, row in enumerate(rows, 1):
        where = f"{file}, row {number}"
        if len(row) != len(columns):
            problem = f"{where}: has another number of cells than the head; give one for each column"
            yield "", {}, Fault(path="models.table", problem=problem)
            continue
        cells = {column: cell.strip() for column, cell in zip(columns, row, strict=True) if cell.strip()}
        name = cells.pop(_NAME, f"{path.stem}-{number:0{digits}}")
        model, problems = _of_row(cells)
        fault = Fault(path="models.table", problem=f"{where}: {'; '.join(problems)}") if problems else None
        yield name, model, fault


def _problem_of_head(columns: Sequence[str]) -> str | None:
    """What is wrong with the columns of a table."""
    if len(columns) == 1 and (found := re.search(r"[;\t]", columns[0])):
        return f"is separated by {'semicolons' if found[0] == ';' else 'tabs'}; separate the columns by commas"
    labels: dict[str, str] = {}
    for number, column in enumerate(columns):
        if column in columns[:number]:
            return f"two columns are called '{column}'; give every one a name of its own"
        first = column.split(".")[0]
        if first not in _COLUMNS and (close := get_close_matches(first, _COLUMNS, n=1, cutoff=_ALIKE)):
            return f"column '{column}': did you mean '{close[0]}'? A label of that name is written labels.{column}"
        if label := _label_of(column):
            other = labels.setdefault(label, column)
            if other != column:
                return f"the columns '{other}' and '{column}' are both the label {label}; rename one, or leave it out"
    return None


def _label_of(column: str) -> str | None:
    """The label that a column gives a model."""
    first, *deeper = column.split(".")
    return column if first not in _COLUMNS else deeper[-1] if deeper else None


def _of_row(cells: Mapping[str, str]) -> tuple[Model, list[str]]:
    """What a row says of its model, and which cells cannot be read."""
    model: Model = {}
    labels: dict[str, str] = {}
    problems = []
    for column, cell in cells.items():
        first, *deeper = column.split(".")
        if label := _label_of(column):
            labels[label] = cell
        if first not in _COLUMNS:
            continue
        value, faults = parse_yaml(cell)
        problems += [f"{column} cannot be read: {fault.problem}" for fault in faults]
        _put(model, [first, *deeper], value)
    return {**model, **({"labels": {**model.get("labels", {}), **labels}} if labels else {})}, problems


def _put(model: Model, path: Iterable[str], value: Any) -> None:
    *parents, last = path
    for parent in parents:
        model = model.setdefault(parent, {})
    model[last] = value


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> Model:
    """What models have in common, with what one of them says itself."""
    both = {key for key in common.keys() & own.keys() if isinstance(common[key], dict) and isinstance(own[key], dict)}
    return {**common, **own, **{key: _merged(common[key], own[key]) for key in both}}


def _as_name(stem: str) -> str:
    """A file's name with what names of models cannot have replaced."""
    return re.sub(r"^[^A-Za-z0-9]+", "", re.sub(r"[^A-Za-z0-9_.\-]", "-", stem)) or "model"
