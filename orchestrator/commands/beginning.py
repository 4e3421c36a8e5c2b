"""`orchard init`: writes a sweep file to begin with. Imports neither torch, ray nor mlflow."""

import json
from dataclasses import dataclass
from pathlib import Path

import click

from jobs.errors import BadInputError, InvalidFileError
from jobs.load import load_sweep

_TEMPLATE = """\
# What you can write here: docs/sweep-file.md. What will run: `orchard plan {file}`; what of the network can go:
# `orchard groups {file}`.
name: {name}
seeds: [0]                       # several seeds: mean and deviation of what draws random numbers
storage: {storage}   # every worker has to see it; s3://, gs:// and az:// do, too

data:
  dataset: {dataset}               # or your own: package.module:callable{root}
  # normalize: {{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}   # as the network was trained
  # split: validation            # to choose by; report on the test split once the choice is made

models:
  net:
    network: {network}{arguments}{weights}

compressions: [0.2, 0.4, 0.6]    # fractions of the parameters that are removed

# Every method removes the same fraction of every channel group (`allocation: uniform`, the default), and is measured as
# it is and fine-tuned: so the methods alone differ. Where channels are removed from is a second question; ask it of all
# methods alike: {{kind: criterion, criterion: l1, allocation: least-error}}, and the same of `integral`.
methods:                         # `dense`, the control, comes by itself
  random: {{kind: criterion, criterion: random, protocols: [none, fine-tune]}}   # what every other has to beat
  l1: {{kind: criterion, criterion: l1, protocols: [none, fine-tune]}}
  taylor: {{kind: criterion, criterion: taylor, protocols: [none, fine-tune]}}
  integral: {{kind: integral, protocols: [none, fine-tune]}}
  integral-tuned: {{kind: integral, tune: {{steps: 100}}, protocols: [none, fine-tune]}}

protocols:
  fine-tune: {{kind: fine-tune, train: {{epochs: {epochs}}}}}
  # scratch: {{kind: scratch}}     # the pruned architecture from random weights: what its weights were worth

# prune:
#   keep: ["*.head"]             # layers that stay whole
#   multiple: 8                  # widths that hardware likes
"""

_GREY = ("digits", "fashion-mnist", "mnist")
"""Data sets whose images have one channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a first sweep is about, as the flags of `orchard init` say it.

    Attributes:
        network: The network's name or import path.
        weights: A file, or `pretrained`; empty: it is trained.
        dataset: The data set's name or import path.
        root: Its folder; empty: it needs none.
        classes: Number of classes, an argument of the network; None: as the network has it.
        storage: The store.
    """

    network: str
    weights: str
    dataset: str
    root: str
    classes: int | None
    storage: str


def begin(file: str, beginning: Beginning) -> None:
    """Write the sweep file, once it is known to be valid.

    Raises:
        BadInputError: The file exists, or a sweep with these values cannot be used.
    """
    path = Path(file)
    if path.exists():
        raise BadInputError(f"{path} exists; give another name, or remove it")
    text = sweep_text(path, beginning)
    path.write_text(text, encoding="utf-8")
    try:
        load_sweep(path)
    except InvalidFileError:
        path.unlink()
        raise
    click.echo(f"{path} is written. Next:\n  orchard plan {path}\n  orchard run {path}")


def sweep_text(path: Path, beginning: Beginning) -> str:
    """The sweep file's text; its name is that of the file."""
    given = {
        "num_classes": beginning.classes,
        "in_channels": 1 if beginning.dataset in _GREY and ":" not in beginning.network else None,
    }
    listed = ", ".join(f"{name}: {value}" for name, value in given.items() if value)
    arguments = f"\n    arguments: {{{listed}}}" if listed else ""
    weights = (
        f"\n    weights: {_scalar(beginning.weights)}"
        if beginning.weights
        else "\n    train: {epochs: 10, schedule: cosine, learning_rate: 0.05}"
    )
    return _TEMPLATE.format(
        file=path,
        name=_scalar(path.stem),
        storage=_scalar(beginning.storage),
        dataset=_scalar(beginning.dataset),
        root=f"\n  root: {_scalar(beginning.root)}" if beginning.root else "",
        network=_scalar(beginning.network),
        arguments=arguments,
        weights=weights,
        epochs=2,
    )


def _scalar(value: str) -> str:
    """A text in YAML: as it is where that is one, else in quotes."""
    plain = all(each.isalnum() or each in "/._-~" for each in value) and not value[:1].isdigit()
    return value if plain else json.dumps(value)
