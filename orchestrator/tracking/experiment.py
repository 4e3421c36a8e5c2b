"""What MLflow's page of an experiment shows of a sweep besides its runs: a description, and saved views."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from jobs.identity import content_key
from jobs.percent import to_percent
from jobs.spec.protocols import NO_PROTOCOL
from orchestrator.results import SweepRecord
from orchestrator.tracking.address import FIRST_VIEW, opened, resolved, view_path
from orchestrator.tracking.finding import is_deleted, known_experiment
from orchestrator.tracking.means import MeanCurve
from orchestrator.tracking.views import VIEW_TAG, view_tags, views_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

NOTE_TAG = "mlflow.note.content"
"""On an experiment: its description in Markdown."""
WRITTEN_TAG = "orchard.description"
"""On an experiment: a digest of the description that Orchard wrote."""
_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Without it MLflow asks what the experiment is."""
_NAMES = 12
"""How many models, methods or protocols a description names."""


def write_experiment(
    client: "MlflowClient", experiment: "Experiment", record: SweepRecord, means: Sequence[MeanCurve], run_id: str
) -> None:
    """Install the views and the description; a description that a user has changed stays.

    Args:
        client: A client of MLflow.
        experiment: The sweep's experiment.
        record: The sweep.
        means: Its mean curves, as far as measured.
        run_id: The sweep's run.
    """
    number = str(experiment.experiment_id)
    note = describe(record, means, number, run_id)
    wanted = view_tags(means, int(experiment.creation_time or 0))
    present = experiment.tags.get(NOTE_TAG)
    if present in (None, note) or content_key({"note": present}) == experiment.tags.get(WRITTEN_TAG):
        wanted |= {NOTE_TAG: note, WRITTEN_TAG: content_key({"note": note})}
    wanted |= {name: value for name, value in _KIND.items() if name not in experiment.tags}
    for name, value in wanted.items():
        if experiment.tags.get(name) != value:
            client.set_experiment_tag(number, name, value)


def sweep_page(name: str, store_id: str | None, *, tracking_uri: str) -> tuple[str | None, bool]:
    """The path of a sweep's charts within MLflow's pages, None where it is not there; and whether it has views.

    Raises:
        TrackingUnavailableError: MLflow does not answer or rejects a request.
    """
    with opened(resolved(tracking_uri)) as client:
        experiment = known_experiment(client, name, store_id)
    if experiment is None or is_deleted(experiment):
        return None, False
    viewed = f"{VIEW_TAG}{FIRST_VIEW}" in experiment.tags
    return view_path(str(experiment.experiment_id), FIRST_VIEW if viewed else None), viewed


def describe(record: SweepRecord, means: Sequence[MeanCurve], experiment_id: str, run_id: str) -> str:
    """What a sweep is and where its results are, in Markdown."""
    plans = [curve.plan for mean in means for curve in mean.seeds]
    protocols = _words(plan.protocol for plan in plans if plan.protocol != NO_PROTOCOL)
    asked = sorted({to_percent(point.compression) for plan in plans for point in plan.points} - {0})
    facts = [
        f"{_words(plan.model for plan in plans)} on {_words(plan.dataset for plan in plans)}",
        f"methods {_words(plan.method for plan in plans)}",
        *([f"protocols {protocols}"] if protocols else []),
        *([f"{len(asked)} compressions from {asked[0]} % to {asked[-1]} %"] if asked else []),
        f"{len({plan.seed for plan in plans})} seeds",
    ]
    links = [f"[{view.name}](#{view_path(experiment_id, view.key)})" for view in views_of(means)]
    files = f"[figure, tables and report](#/experiments/{experiment_id}/runs/{run_id}/artifacts)"
    return (
        f"{' · '.join([*links, files])}\n\n"
        f"Pruning sweep **{record.name}**: {'; '.join(facts)}.\n\n"
        "A line is the mean over the seeds, which are folded below its run; the dense network crosses the chart.\n"
    )


def _words(names: Iterable[str]) -> str:
    """The names, each once; of many only the first ones, as MLflow takes descriptions of some length only."""
    several = list(dict.fromkeys(names))
    more = len(several) - _NAMES
    return ", ".join(f"`{name}`" for name in several[:_NAMES]) + (f" and {more} more" if more > 0 else "")
