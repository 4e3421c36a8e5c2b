"""Sweeps from Python, as the `orchard` command runs them."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jobs.errors import BadInputError, OrchardError
from jobs.load import load_sweep

if TYPE_CHECKING:
    import pandas

__all__ = ["load_results", "load_sweep", "run_sweep"]

_TEXTS = ("sweep", "model", "dataset", "method", "protocol", "pareto", "digest", "key", "note")
"""Columns of results that are no numbers, besides those of labels."""


def run_sweep(sweep: str | Path, overrides: Sequence[str] = (), *, backend: Literal["ray", "inline"] = "ray") -> None:
    """Compute what is missing of a sweep, and log its curves to MLflow.

    Args:
        sweep: Its file, or the name of one that is shipped.
        overrides: `dotted.path=value`, or `@file`.
        backend: `ray`: the cluster at RAY_ADDRESS, else a local one; `inline`: this process.

    Raises:
        BadInputError: The sweep cannot be run as it is.
        OrchardError: A task failed, or the run was stopped; what was finished is kept.
    """
    from orchestrator.commands import running

    code = running.run(str(sweep), list(overrides), backend=backend)
    if code:
        raise OrchardError(f"{sweep}: did not end (exit code {code}); `orchard status` says why, and `run` goes on")


def load_results(sweep: str | Path, storage: str = "~/.orchard/store") -> "pandas.DataFrame":
    """The measured points of a sweep, a row each: model, method, protocol, seed, compression, metrics, costs.

    Names, labels and keys are texts, whatever they look like (`NA`, `007`); what is missing is NaN.

    Args:
        sweep: Its name, or its file.
        storage: The store of its results, where it is given by name; a file names its own.

    Raises:
        BadInputError: pandas is not installed.
        OrchardError: No such sweep was run with this store, or its record is damaged.
    """
    try:
        import pandas
    except ImportError:
        raise BadInputError("results are a table of pandas, which is not installed; pip install pandas") from None
    from orchestrator.commands.locating import find_record
    from orchestrator.report import points_csv
    from orchestrator.report.comparison import changes_to_dense, pareto_front
    from orchestrator.results import collect

    record, store = find_record(str(sweep), storage)
    curves = collect(record, store)
    points = points_csv(record, curves, changes_to_dense(curves), pareto_front(curves))
    columns = pandas.read_csv(io.StringIO(points), nrows=0).columns
    texts = {name: str for name in columns if name in _TEXTS or name.startswith("label.")}
    return pandas.read_csv(io.StringIO(points), dtype=texts, keep_default_na=False, na_values=[""])
