"""The papers' tables on CIFAR-10: our committed results, and the published ones beside.

Read from `benchmarks/results/SWEEP_*.csv`, which are the `points.csv` of `orchard report`; the newest of each sweep
counts. Accuracies in % of the whole test set, means over the seeds:

- `table1.MODEL.METHOD.SIZE` (SIZE: % of the parameters that are removed), `table1.MODEL.METHOD.paper`;
- `table2.MODEL.METHOD`, and `table2.MODEL.gap` and `.gap_paper`: points from the dense network to ours, by the setting
  that `GAPS` names, and to theirs; `.gap_refitted`: without tuning or labels, `.gap_as_published`: by their method;
- `figure1.MODEL.METHOD.SIZE`, `figure1.MODEL.METHOD.SIZE.paper`;
- `rethinking.MODEL.METHOD.PROTOCOL`, a method being a given configuration, `rethinking.MODEL.dense`, and
  `rethinking.paper.PROTOCOL`;
- `missing`: sweeps without a committed result.

    python -m benchmarks.tables [--quick] [--page]

`--page` prints the tables of the page `docs/results.md` instead. There is nothing to be quick about: it reads files.
"""

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.published import FIGURE1, NAMES, RETHINKING, TABLE1, TABLE2

RESULTS = Path(__file__).parent / "results"
GAPS = {"gap": "repaired-tuned", "gap_refitted": "refitted", "gap_as_published": "tuned"}
"""Distances of Table 2 from the dense network -> the setting that they are of. The documented ones: widths by least
error, means of cells, repaired variance, then tuned on labels, or refitted to the dense network's outputs."""
SWEEPS: Mapping[str, Sequence[str]] = {
    "table1": ("inn_table1_cifar10",),
    "table2": ("inn_table2",),
    "figure1": ("inn_figure1_nin", "inn_figure1_resnet18_cifar10"),
}
CONTROLS = "rethinking_l1_cifar10"
"""The sweep of *Rethinking*'s controls for given configurations."""
PROTOCOLS: Mapping[str, str] = {
    "none": "as cut",
    "fine-tune": "fine-tuned",
    "distilled": "distilled",
    "scratch-e": "Scratch-E",
    "scratch-b": "Scratch-B",
    "scratch-b-fair": "Scratch-B, fine-tuning counted",
}
"""Protocols of that sweep -> their columns."""
Place = tuple[str, str, int]
"""Model, method, removed parameters in % as asked for."""


def newest(sweep: str) -> Path | None:
    """The newest committed points of a sweep."""
    return max(RESULTS.glob(f"{sweep}_*_[0-9]*.csv"), key=lambda path: path.stem.rpartition("_")[2], default=None)


def accuracies(table: str) -> dict[Place, list[float]]:
    """Place -> accuracies in %, one a seed; of a table's sweeps, as far as they are there."""
    found: dict[Place, list[float]] = defaultdict(list)
    for sweep in SWEEPS[table]:
        for row, accuracy in _points(sweep):
            found[row["model"], row["method"], round(100 * float(row["asked"]))].append(accuracy)
    return dict(found)


def controls() -> dict[tuple[str, str], dict[str, list[float]]]:
    """Model, method -> protocol -> accuracies in %, one a seed: what else can be done with a configuration."""
    found: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, accuracy in _points(CONTROLS):
        found[row["model"], row["method"]][row["protocol"]].append(accuracy)
    return found


def _points(sweep: str) -> Iterator[tuple[Mapping[str, str], float]]:
    """The committed points of a sweep that are there, with their accuracies in %."""
    path = newest(sweep)
    if path is not None:
        with path.open(newline="") as file:
            yield from ((row, 100 * float(row["accuracy"])) for row in csv.DictReader(file) if row["accuracy"])


def figures() -> dict[str, float | list[str]]:
    """All keys."""
    found: dict[str, float | list[str]] = {}
    for table in SWEEPS:
        for (model, method, size), values in accuracies(table).items():
            place = f"{table}.{model}.{method}"
            found[place if method == "dense" or table == "table2" else f"{place}.{size}"] = round(fmean(values), 2)
    for model, published in TABLE1.items():
        found |= {f"table1.{model}.{method}.paper": value for method, value in published.items()}
    for model, published in TABLE2.items():
        found |= {f"table2.{model}.{method}.paper": value for method, value in published.items()}
        found[f"table2.{model}.gap_paper"] = round(TABLE1[model]["dense"] - published["tuned"], 2)
        dense = found.get(f"table2.{model}.dense")
        for key, method in GAPS.items():
            ours = found.get(f"table2.{model}.{method}")
            if isinstance(dense, float) and isinstance(ours, float):
                found[f"table2.{model}.{key}"] = round(dense - ours, 2)
    for model, methods in FIGURE1.items():
        for method, points in methods.items():
            found |= {f"figure1.{model}.{method}.{size}.paper": value for size, value in points.items()}
    for (model, method), protocols in controls().items():
        for protocol, values in protocols.items():
            place = f"rethinking.{model}.{method}"
            dense = method == "dense" and protocol == "none"
            found[place if dense else f"{place}.{protocol}"] = round(fmean(values), 2)
    found |= {f"rethinking.paper.{protocol}": value for protocol, value in RETHINKING.items()}
    sweeps = [*(sweep for sweeps in SWEEPS.values() for sweep in sweeps), CONTROLS]
    found["missing"] = [sweep for sweep in sweeps if newest(sweep) is None]
    return found


def page() -> Iterator[str]:
    """Lines of `docs/results.md`: every table beside the published one, and which are missing."""
    for title, table in (("Table 1", "table1"), ("Table 2", "table2"), ("Figure 1", "figure1")):
        found = accuracies(table)
        for model, name in NAMES.items():
            places = {place: values for place, values in found.items() if place[0] == model}
            if places:
                yield from (f"### {title}, {name}", "", *_rows(table, model, places), "")
    yield from _controls_page()
    absent = [
        f"{title} of {name}"
        for title, table in (("Table 1", "table1"), ("Table 2", "table2"), ("Figure 1", "figure1"))
        for model, name in NAMES.items()
        if (table != "figure1" or model in FIGURE1) and not any(place[0] == model for place in accuracies(table))
    ]
    if absent:
        yield f"Not there yet: {', '.join(absent)}."


def _controls_page() -> Iterator[str]:
    found = controls()
    if not found:
        return
    yield from ("### Rethinking, a given configuration", "")
    yield "| | dense | " + " | ".join(PROTOCOLS.values()) + " |"
    yield "|---" * (2 + len(PROTOCOLS)) + "|"
    for (model, method), own in found.items():
        if method not in ("dense", "random"):
            values = (found[model, "dense"].get("none"), *map(own.get, PROTOCOLS))
            yield f"| {NAMES.get(model, model)}, {method} | " + " | ".join(_cell(each, None) for each in values) + " |"
    published = (str(RETHINKING.get(name, "")) for name in ("dense", *PROTOCOLS))
    yield "| VGG-16-A (published) | " + " | ".join(published) + " |"
    yield ""


def _rows(table: str, model: str, places: Mapping[Place, Sequence[float]]) -> Iterator[str]:
    sizes = sorted({size for _, method, size in places if method != "dense"})
    methods = list(dict.fromkeys(method for _, method, _ in places))
    yield "| removed | " + " | ".join(f"{size} %" for size in sizes) + " |"
    yield "|---" * (1 + len(sizes)) + "|"
    for method in methods:
        cells = (
            _cell(places.get((model, method, 0 if method == "dense" else size)), _published(table, model, method, size))
            for size in sizes
        )
        yield f"| {method} | " + " | ".join(cells) + " |"


def _published(table: str, model: str, method: str, size: int) -> float | None:
    if method == "dense":
        return TABLE1[model]["dense"]
    if table == "table1":
        return TABLE1[model].get(method) if size == 0 else None
    if table == "table2":
        return TABLE2[model].get(method)
    return FIGURE1[model].get(method, {}).get(size)


def _cell(values: Sequence[float] | None, published: float | None) -> str:
    own = "" if values is None else f"{fmean(values):.1f}"
    if values is not None and len(values) > 1 and stdev(values) >= 0.05:
        own += f" ± {stdev(values):.1f}"
    return own if published is None else f"{own} ({published})".strip()


def main() -> None:
    """Print the figures, or the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Changes nothing.")
    parser.add_argument("--page", action="store_true", help="Print the tables of docs/results.md.")
    print("\n".join(page()) if parser.parse_args().page else json.dumps(figures()))


if __name__ == "__main__":
    main()
