"""Finds the experiment of a sweep, whatever was done to it in MLflow's pages.

It is marked with the sweep's name and found by that mark: renamed, it is the same one. While it is deleted, its name is
taken, so it is restored when there is something to log. Where an experiment that is no sweep's has the name, or one of
a sweep of this name in another store, the sweep has one with a similar name. Experiments of earlier versions have no
mark; they are known by their runs, and marked.
"""

import logging
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

SWEEP_TAG = "orchard.sweep"
"""On a sweep's experiment and on its run there: the sweep's name."""
STORE_TAG = "orchard.storage"
"""On a sweep's experiment: the identity of its store. Versions before had none; such a one is the first store's."""

_log = logging.getLogger("orchard")


def known_experiment(client: "MlflowClient", sweep: str, store_id: str | None) -> "Experiment | None":
    """The experiment of a sweep, active or deleted; None where there is none.

    Args:
        client: A client of MLflow.
        sweep: The sweep's name.
        store_id: The identity of its store; None where it has none yet, so that no experiment names it.
    """
    from mlflow.entities import ViewType

    marked = list(client.search_experiments(view_type=ViewType.ALL, filter_string=f"tags.`{SWEEP_TAG}` = '{sweep}'"))
    own = [each for each in marked if each.tags.get(STORE_TAG, store_id) == store_id]
    if own:
        return min(own, key=lambda each: (STORE_TAG not in each.tags, is_deleted(each), int(each.experiment_id)))
    named = client.get_experiment_by_name(sweep)
    return named if named is not None and _may_be_used(client, named, sweep) else None


def experiment_for(client: "MlflowClient", sweep: str, store_id: str | None, location: str | None) -> "Experiment":
    """The experiment of a sweep, ready to be logged to.

    Args:
        client: A client of MLflow.
        sweep: The sweep's name.
        store_id: The identity of its store.
        location: Where the files of a new one go; None: where the server keeps them.
    """
    experiment, marks = known_experiment(client, sweep, store_id), {SWEEP_TAG: sweep}
    if store_id is not None:
        marks[STORE_TAG] = store_id
    if experiment is None:
        return _created(client, sweep, marks, location)
    if is_deleted(experiment):
        client.restore_experiment(experiment.experiment_id)
        _log.warning(
            "MLflow: the experiment of %s had been deleted there; it is restored, as the sweep is logged to it. "
            "Delete it again once nothing more is to be logged",
            sweep,
        )
    for tag, mark in marks.items():
        if tag not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, tag, mark)
    return experiment


def is_deleted(experiment: "Experiment") -> bool:
    """Whether it is in MLflow's trash."""
    return bool(experiment.lifecycle_stage == "deleted")


def _created(client: "MlflowClient", sweep: str, marks: dict[str, str], location: str | None) -> "Experiment":
    others = (f"{sweep} (orchard{f' {number}' if number > 1 else ''})" for number in count(1))
    name = sweep
    while client.get_experiment_by_name(name) is not None:
        name = next(others)
    number = client.create_experiment(name, artifact_location=location, tags=marks)
    if name != sweep:
        _log.warning(
            "MLflow: '%s' is an experiment with other runs, or of a sweep of this name in another store; the runs of "
            "this sweep are in '%s'",
            sweep,
            name,
        )
    return client.get_experiment(number)


def _may_be_used(client: "MlflowClient", experiment: "Experiment", sweep: str) -> bool:
    """Whether an experiment without a mark is the sweep's, by its runs, or has none."""
    from mlflow.entities import ViewType

    if SWEEP_TAG in experiment.tags:
        return False  # another sweep's that got this name
    number, filters = [experiment.experiment_id], (f"tags.`{SWEEP_TAG}` = '{sweep}'", "")
    own, all_runs = (
        client.search_runs(number, filter_string=each, run_view_type=ViewType.ALL, max_results=1) for each in filters
    )
    return bool(own) or not all_runs
