"""Ends the MLflow runs that a dead driver left as running."""

from orchestrator.tracking.address import opened, resolved, sqlite_path
from orchestrator.tracking.finding import is_deleted, known_experiment
from orchestrator.tracking.runs import runs_by_tag


def end_runs(sweep: str, store_id: str | None, tracking_uri: str) -> int | None:
    """Set those of a sweep's runs that are RUNNING to FAILED, as they are where points are missing.

    Complete curves are never among them: their last points were logged together with their end.

    Args:
        sweep: The sweep's name.
        store_id: The identity of its store.
        tracking_uri: A server's address or a database.

    Returns:
        Their number; None where the database is not on this machine.

    Raises:
        TrackingUnavailableError: MLflow does not answer or rejects a request.
        BadInputError: The address has a variable that is not set here.
    """
    uri = resolved(tracking_uri)
    path = sqlite_path(uri)
    if path and not path.exists():
        return None
    with opened(uri) as client:
        experiment = known_experiment(client, sweep, store_id)
        if experiment is None or is_deleted(experiment):
            return 0
        found = [run for runs in runs_by_tag(client, experiment.experiment_id).values() for run in runs]
        running = {run.info.run_id for run in found if run.info.status == "RUNNING"}
        for run_id in running:
            client.set_terminated(run_id, "FAILED")
        return len(running)
