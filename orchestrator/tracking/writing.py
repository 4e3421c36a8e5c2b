"""Writes what a run of MLflow does not have yet, in requests of the size that MLflow takes."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from jobs.identity import content_key
from orchestrator.tracking.runs import ARTIFACTS_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, Run

T = TypeVar("T")

_METRICS_PER_BATCH, _PARAMS_PER_BATCH = 700, 100  # MLflow limits a request to 1,000 values in total


def write(
    client: "MlflowClient",
    run: "Run",
    *,
    metrics: Sequence["Metric"] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str],
) -> None:
    """Log what the run does not have; existing parameters are not changed."""
    from mlflow.entities import Param, RunTag

    new_params = [Param(name, value) for name, value in (params or {}).items() if name not in run.data.params]
    new_tags = [RunTag(name, value) for name, value in tags.items() if run.data.tags.get(name) != value]
    *earlier, last = list(_requests(metrics, new_params)) or [((), ())]
    for some_metrics, some_params in earlier:
        client.log_batch(run.info.run_id, metrics=some_metrics, params=some_params)
    if any(last) or new_tags:
        # MLflow writes the tags of a request after its rows, so the tags never claim rows that are missing.
        client.log_batch(run.info.run_id, metrics=last[0], params=last[1], tags=new_tags)


def write_files(client: "MlflowClient", run: "Run", files: Mapping[str, bytes]) -> None:
    """Log files, unless the run has these very ones."""
    digest = content_key({name: sha256(content).hexdigest() for name, content in files.items()})
    if not files or run.data.tags.get(ARTIFACTS_TAG) == digest:
        return
    with TemporaryDirectory(prefix="orchard-") as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        client.log_artifacts(run.info.run_id, folder)
    write(client, run, tags={ARTIFACTS_TAG: digest})


def set_status(client: "MlflowClient", run: "Run", *, complete: bool, ended: bool) -> None:
    """FINISHED where nothing is missing; else FAILED or RUNNING, by whether the sweep has ended."""
    status = "FINISHED" if complete else "FAILED" if ended else "RUNNING"
    if run.info.status == status:
        return
    if status == "RUNNING":
        client.update_run(run.info.run_id, status=status)
    else:
        client.set_terminated(run.info.run_id, status)


def _requests(
    metrics: Sequence["Metric"], params: Sequence["Param"]
) -> Iterator[tuple[Sequence["Metric"], Sequence["Param"]]]:
    """Split into parts that fit one request each."""
    yield from zip_longest(_chunks(metrics, _METRICS_PER_BATCH), _chunks(params, _PARAMS_PER_BATCH), fillvalue=())


def _chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
