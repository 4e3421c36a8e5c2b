"""Results of sweeps to choose from, made up: curves, and whole sweeps in a store."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from planned import planned_curve
from stored_sweeps import ENVIRONMENT, commit

from jobs.load import load_sweep
from jobs.metric import Metric
from orchestrator.planning import PlannedPoint, plan_sweep
from orchestrator.results import EARLIER, Curve, Further, Point, SweepRecord
from orchestrator.store import ArtifactStore

ACCURACY = EARLIER[0]
PSNR = Metric(name="psnr_db", label="PSNR", direction="higher", unit="dB", digits=2)
RMSE = Metric(name="rmse", label="RMSE", direction="lower", unit="mm", scale=1000.0, digits=2)


def made_curve(
    method: str,
    points: Mapping[float, float],
    *,
    seed: int = 0,
    model: str = "net",
    protocol: str = "none",
    planned: tuple[float, ...] = (),
    metric: Metric = ACCURACY,
    times: Mapping[float, float] | None = None,
    macs: float = 1000.0,
    baseline: bool = False,
    control: str = "none",
    sets: Mapping[str, float] | None = None,
) -> Curve:
    """A curve of networks of 100 parameters in whole.

    Args:
        method: Its method.
        points: What is measured.
        seed: Its seed.
        model: Its model.
        protocol: Its protocol.
        planned: Compressions that are planned besides.
        metric: Of the points.
        times: Compression -> median in ONNX Runtime, in seconds.
        macs: Of the whole network.
        baseline: Whether it is none of the model's networks.
        control: The protocol of its dense network.
        sets: Named test set -> by how much its metric exceeds that of all together.
    """
    sets = sets or {}
    keys = {asked: f"{model}/{method}/{protocol}/{seed}/{asked}" for asked in (*points, *planned)}
    plan = planned_curve(
        method,
        (PlannedPoint(compression=asked, key=key) for asked, key in keys.items()),
        seed=seed,
        model=model,
        protocol=protocol,
        baseline=baseline,
        control=control,
    )
    timed = {
        asked: {"latency_p50_s/onnxruntime/b1": time_s, "speedup_measured/onnxruntime/b1": 0.01 / time_s}
        for asked, time_s in (times or {}).items()
    }
    measured = tuple(
        Point(
            asked=asked,
            key=keys[asked],
            metrics={
                metric.name: value,
                "params": 100 * (1 - asked),
                "macs": macs * (1 - asked),
                "compression": asked,
                **{f"{metric.name}/{name}": value + more for name, more in sets.items()},
            },
            created_s=0.0,
            objective=(metric,),
            test_sets=tuple(sets),
            further=(Further(stage="time", key="time", metrics=timed[asked], created_s=0.0),) if asked in timed else (),
        )
        for asked, value in points.items()
    )
    return Curve(plan=plan, points=measured)


def stored_results(
    store: ArtifactStore,
    path: Path,
    results: Mapping[tuple[str, float], float],
    metric: Metric = ACCURACY,
    variants: tuple[str, ...] = ("onnxruntime/b1",),
    others: tuple[Metric, ...] = (),
) -> SweepRecord:
    """Record the sweep of a file, with results as if its networks had 100 parameters and 1000 MACs in whole.

    Args:
        store: Where.
        path: The sweep file.
        results: Method and compression -> the primary metric, with every seed; the others are not measured.
        metric: The primary metric.
        variants: Runtimes and batches that take a tenth of a millisecond for each parameter, where the sweep file asks
            for latencies.
        others: Further metrics that the points describe.
    """
    spec = load_sweep(path)
    plan = plan_sweep(spec, ENVIRONMENT)
    record = SweepRecord(
        name=spec.name, spec=spec.model_dump(mode="json"), curves=plan.curves, environment=asdict(ENVIRONMENT)
    )
    for curve in plan.curves:
        for point in curve.points:
            value = results.get((curve.method, point.compression))
            if value is not None:
                measured = {
                    metric.name: value,
                    "metrics": [asdict(each) for each in (metric, *others)],
                    "params": 100 * (1 - point.compression),
                    "macs": 1000 * (1 - point.compression),
                }
                commit(store, plan.tasks[point.key], **measured)
                for _, key in point.further:
                    time_s = 0.01 * (1 - point.compression)
                    times = {f"latency_p50_s/{variant}": time_s for variant in variants}
                    speedups = {f"speedup_measured/{variant}": 0.01 / time_s for variant in variants}
                    commit(store, plan.tasks[key], **times, **speedups)
    store.write_sweep(spec.name, record.to_json())
    return record
