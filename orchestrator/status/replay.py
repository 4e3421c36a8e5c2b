"""The status of a sweep from its history. Pure: no clock."""

from orchestrator.status.history import History
from orchestrator.status.record import Driver, State, SweepStatus


def status_of(
    sweep: str,
    history: History,
    *,
    driver: Driver | None,
    gpu_hours_cap: float | None,
    now_s: float,
    problem: str = "",
) -> SweepStatus:
    """The status of a sweep.

    Args:
        sweep: Its name.
        history: What its journal amounts to.
        driver: The driver that has the sweep's lease, or had it last.
        gpu_hours_cap: From the sweep file.
        now_s: The time, seconds since the epoch.
        problem: What is wrong with the sweep's record.
    """
    run = history.run
    state = run.state(driver)
    goes_on = state is State.RUNNING
    duration_s = 0.0 if run.started_s is None else max(0.0, (now_s if goes_on else run.last_s) - run.started_s)
    return SweepStatus(
        sweep=sweep,
        state=state,
        reason=run.stopped,
        driver=driver,
        runs=history.runs,
        started_s=run.started_s,
        duration_s=duration_s,
        time_left=run.eta.estimate(run.open_tasks(), duration_s) if goes_on else None,
        stages=tuple(run.stages(goes_on)),
        attempts=run.attempts,
        retries=dict(run.retries),
        failed_tasks=tuple(run.failed.values()),
        deviating_tasks=tuple(run.deviating),
        avoided_nodes=tuple(run.avoided),
        elsewhere=run.elsewhere if goes_on else {},
        gpu_hours=history.gpu_s / 3600,
        gpu_hours_cap=gpu_hours_cap,
        lost_entries=history.lost,
        unreadable_entries=history.unreadable,
        problem=problem,
    )
