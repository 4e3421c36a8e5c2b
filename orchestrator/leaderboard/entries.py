"""Reads sweeps for a leaderboard: what was measured of every method, how long it took, and what data it needs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.artifact import Manifest, Store
from jobs.errors import BadInputError
from jobs.identity import Json
from jobs.load import validate
from jobs.metric import Metric
from jobs.spec.needs import DataNeed, data_needed
from jobs.spec.protocols import NO_PROTOCOL
from jobs.spec.sweep import SweepSpec
from orchestrator.planning import PlannedCurve
from orchestrator.report.page import sweep_yaml
from orchestrator.results import Curve, Point, SweepRecord, collect
from orchestrator.results.lineage import appeared_keys, joining_stages, made_of, read_lineage, task_of

Place = tuple[str, str]
"""Model and data set."""

_Row = tuple[Place, str, str]
"""Where a method stands: with a protocol."""

_ELSEWHERE = ("root", "fingerprint", "workers", "batch_size")
"""Settings of data that no metric depends on: the content at `root` is known by its fingerprint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One pruned network.

    Attributes:
        point: Its point.
        seconds: How long all tasks took that made it from the dense network; None where some are no longer known.
    """

    point: Point
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One method of a sweep with one protocol on one model.

    Attributes:
        sweep: The sweep.
        method: The method.
        protocol: The protocol.
        need: The data that they need.
        planned: The seeds of the sweep.
        networks: Seed -> what was measured; without those of which nothing is.
        dense: Seed -> the dense network's primary metric, where it was measured.
        metric: That metric.
    """

    sweep: str
    method: str
    protocol: str
    need: DataNeed
    planned: tuple[int, ...]
    networks: Mapping[int, tuple[Measured, ...]]
    dense: Mapping[int, float]
    metric: Metric

    @property
    def name(self) -> str:
        """The method, with its protocol where it has one."""
        return self.method if self.protocol == NO_PROTOCOL else f"{self.method} · {self.protocol}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSweep:
    """A sweep as a leaderboard has it.

    Attributes:
        name: Its name.
        yaml: Its file as it was run.
        entries: Model and data set -> what was measured there; without dense networks and baselines.
        data: Model and data set -> the settings of the data that metrics depend on.
        contents: Model and data set -> fingerprint of the data; empty where that is not known.
        dense: Model, data set and seed -> digest of the dense network.
    """

    name: str
    yaml: str
    entries: Mapping[Place, tuple[Entry, ...]]
    data: Mapping[Place, Mapping[str, Json]]
    contents: Mapping[Place, str]
    dense: Mapping[tuple[str, str, int], str]

    @property
    def digest(self) -> str:
        """SHA-256 of its file."""
        return hashlib.sha256(self.yaml.encode()).hexdigest()


def read_sweep(record: SweepRecord, store: Store) -> RankedSweep:
    """A recorded sweep with what the store has measured of it.

    Raises:
        BadInputError: Nothing of a pruned network is measured, or the recorded file cannot be read: another version of
            Orchard recorded it, or what it names is not there.
    """
    curves = [curve for curve in collect(record, store) if curve.points and not curve.plan.baseline]
    pruned = [curve for curve in curves if any(point.asked for point in curve.points)]
    if not pruned:
        raise BadInputError(f"sweep {record.name}: no pruned network is measured yet; `orchard run` computes them")
    spec, seconds = _spec(record), _Seconds(curves, store)
    dense = {(*_place(curve), curve.plan.control, curve.plan.seed): curve for curve in curves if curve.plan.is_control}
    groups: dict[_Row, list[Curve]] = {}
    for curve in pruned:
        groups.setdefault(_row(curve.plan), []).append(curve)
    planned: dict[_Row, list[int]] = {}
    for plan in record.curves:
        planned.setdefault(_row(plan), []).append(plan.seed)
    entries: dict[Place, list[Entry]] = {}
    for (place, method, protocol), group in groups.items():
        compared = {each.plan.seed: dense.get((*place, each.plan.control, each.plan.seed)) for each in group}
        known = {seed: curve for seed, curve in compared.items() if curve is not None}
        entry = Entry(
            sweep=record.name,
            method=method,
            protocol=protocol,
            need=data_needed(spec, method, protocol),
            planned=tuple(planned[place, method, protocol]),
            networks={
                each.plan.seed: tuple(
                    Measured(point=point, seconds=seconds.of(point.key, known.get(each.plan.seed)))
                    for point in each.points
                )
                for each in group
            },
            dense={seed: curve.points[0].value for seed, curve in known.items()},
            metric=group[0].points[0].primary,
        )
        entries.setdefault(place, []).append(entry)
    return RankedSweep(
        name=record.name,
        yaml=sweep_yaml(record),
        entries={place: tuple(each) for place, each in entries.items()},
        data={_place(curve): _data(record, curve) for curve in pruned},
        contents={_place(curve): record.data_fingerprint_of(curve.plan) for curve in pruned},
        dense={(model, dataset, seed): each.points[0].digest for (model, dataset, _, seed), each in dense.items()},
    )


def _place(curve: Curve) -> Place:
    return curve.plan.model, curve.plan.dataset


def _row(plan: PlannedCurve) -> _Row:
    return (plan.model, plan.dataset), plan.method, plan.protocol


def _spec(record: SweepRecord) -> SweepSpec:
    spec, faults = validate(record.spec)
    if spec is None:
        raise BadInputError(
            f"sweep {record.name}: its file as it was recorded cannot be read here: {'; '.join(map(str, faults))}. "
            "Mend that, or, if another version of Orchard recorded it, run it again: what is measured stays"
        )
    return spec


def _data(record: SweepRecord, curve: Curve) -> dict[str, Json]:
    return {name: value for name, value in record.data_of(curve.plan).items() if name not in _ELSEWHERE}


class _Seconds:
    """How long the tasks behind points took, those that appeared while the sweep ran included."""

    def __init__(self, curves: Sequence[Curve], store: Store) -> None:
        self._joining = joining_stages()
        self._manifests = read_lineage({point.key for curve in curves for point in curve.points}, store)
        appeared = {key: self._appeared(each) for key, each in self._manifests.items()}
        self._inputs = {key: (*made_of(each), *appeared[key]) for key, each in self._manifests.items()}
        self._manifests |= read_lineage({key for keys in appeared.values() for key in keys}, store)

    def of(self, key: str, dense: Curve | None) -> float | None:
        """Seconds from the dense network to the one that a task evaluates; None where a task is not known.

        Args:
            key: The task that evaluates it.
            dense: The curve of the dense network, whose own tasks do not count; None where it is not measured.
        """
        if dense is None:
            return None
        behind = self._behind(key) - self._behind(dense.points[0].key) - {key}
        known = [self._manifests[each].duration_s for each in behind if each in self._manifests]
        return sum(known) if len(known) == len(behind) else None

    def _behind(self, key: str) -> set[str]:
        found, waiting = set[str](), [key]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                waiting += self._inputs.get(each, ())
        return found

    def _appeared(self, manifest: Manifest) -> set[str]:
        """The tasks that a task joined besides its inputs."""
        if manifest.stage not in self._joining:
            return set()
        task = task_of(manifest)
        return set() if task is None else appeared_keys(task, self._measured)

    def _measured(self, key: str) -> Mapping[str, Json] | None:
        return self._manifests[key].measurements if key in self._manifests else None
