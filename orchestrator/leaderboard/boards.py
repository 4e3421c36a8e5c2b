"""Ranks the methods of sweeps on each model and data set at every level. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from jobs.errors import BadInputError
from jobs.metric import STOPPED, Metric
from orchestrator.leaderboard.entries import Entry, Place, RankedSweep
from orchestrator.leaderboard.levels import LEVELS, Between, Level, at_level
from orchestrator.leaderboard.significance import PairedTest, paired_test


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a method reaches at a level.

    Attributes:
        entry: The method.
        found: Seed -> the measured points around the level; at least one, seeds that do not reach it are left out.
        test: Whether it differs from the first one of its ranking; None for that one.
    """

    entry: Entry
    found: Mapping[int, Between]
    test: PairedTest | None = None

    @property
    def value(self) -> float:
        """The primary metric, mean over the seeds, as stored."""
        return fmean(each.value for each in self.found.values())

    @property
    def num_networks(self) -> int:
        """How many different results the seeds have; 1 where nothing depends on the seed."""
        return len({each.keys for each in self.found.values()})

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation over the seeds, as stored; None where all have the same result."""
        return stdev(each.value for each in self.found.values()) if self.num_networks > 1 else None

    @property
    def change(self) -> float | None:
        """Mean difference to the dense network of the same seed, as stored; None where one is not measured."""
        changes = [each.value - self.entry.dense[seed] for seed, each in self.found.items() if seed in self.entry.dense]
        return fmean(changes) if len(changes) == len(self.found) else None

    @property
    def seconds(self) -> float | None:
        """How long the tasks took that made the network, mean over the seeds; None where that is not known."""
        by_key = {measured.point.key: measured.seconds for each in self.entry.networks.values() for measured in each}
        around = [(by_key[each.low.key], by_key[each.high.key], each) for each in self.found.values()]
        known = [each.mean(low, high) for low, high, each in around if low is not None and high is not None]
        return fmean(known) if len(known) == len(around) else None

    @property
    def stopped(self) -> bool:
        """Whether the training behind one of the points stopped in a race."""
        return any(STOPPED in point.metrics for each in self.found.values() for point in (each.low, each.high))

    @property
    def sparse(self) -> bool:
        """Whether one of the points lacks single weights: zeros in tensors as large as the dense network's."""
        return any("weights" in point.kept for each in self.found.values() for point in (each.low, each.high))

    @property
    def cost(self) -> float:
        """The metric as something of which less is better."""
        return self.entry.metric.cost(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The methods at a level.

    Attributes:
        level: The level.
        rows: Those that reach it, the best first.
        unreached: Those that were not measured on both sides of it.
    """

    level: Level
    rows: tuple[Standing, ...]
    unreached: tuple[Entry, ...]

    def place(self, entry: Entry) -> int | None:
        """The place of a method, from 1; None where it does not reach the level."""
        return next((number for number, row in enumerate(self.rows, 1) if row.entry is entry), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """All methods on one model.

    Attributes:
        model: The model.
        dataset: The data set.
        metric: What its networks are judged by.
        dense: The dense network's metric, mean over the seeds, as stored; None where it is not measured.
        entries: The methods, those first that have the better places on average.
        rankings: One for each level.
    """

    model: str
    dataset: str
    metric: Metric
    dense: float | None
    entries: tuple[Entry, ...]
    rankings: tuple[Ranking, ...]


def boards_of(sweeps: Sequence[RankedSweep], levels: Sequence[Level] = LEVELS) -> tuple[Board, ...]:
    """A board for each model and data set, in the order of the sweeps.

    Args:
        sweeps: The sweeps, whose names differ.
        levels: The sizes at which methods are compared.

    Raises:
        BadInputError: Two sweeps have one name; or what they have of one model cannot be compared, because the
            metrics, the settings of the data or the dense networks differ.
    """
    names = [sweep.name for sweep in sweeps]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise BadInputError(f"sweep {repeated}: is given twice; give every sweep once, and each a name of its own")
    places = dict.fromkeys(place for sweep in sweeps for place in sweep.entries)
    for place in places:
        _check_comparable(place, [sweep for sweep in sweeps if place in sweep.entries])
    return tuple(
        _board(place, [each for sweep in sweeps for each in sweep.entries.get(place, ())], levels) for place in places
    )


def _check_comparable(place: Place, sweeps: Sequence[RankedSweep]) -> None:
    first, where = sweeps[0], f"model {place[0]} on {place[1]}"
    remedy = "give the model another name in one of them, or a leaderboard of its own"
    metrics = {entry.metric: sweep.name for sweep in sweeps for entry in sweep.entries[place]}
    if len(metrics) > 1:
        told = ", ".join(f"{metric.label} in {name}" for metric, name in metrics.items())
        raise BadInputError(f"{where}: is judged by different metrics: {told}; {remedy}")
    for other in sweeps[1:]:
        data, others = first.data[place], other.data[place]
        differing = [
            f"{name} is {data.get(name)} in {first.name}, {others.get(name)} in {other.name}"
            for name in sorted(data.keys() | others.keys())
            if data.get(name) != others.get(name)
        ]
        if differing:
            raise BadInputError(f"{where}: its data differ: {', '.join(differing)}; {remedy}")
    contents: dict[str, str] = {}
    for sweep in (sweep for sweep in sweeps if sweep.contents[place]):  # that of earlier versions is not known
        contents.setdefault(sweep.contents[place], sweep.name)
    if len(contents) > 1:
        told = ", ".join(f"{content} in {name}" for content, name in contents.items())
        raise BadInputError(f"{where}: the content of its data differs: {told}; {remedy}")
    # A sweep may share no seed with the first one, but one with another.
    having: dict[tuple[str, str, int], RankedSweep] = {}
    for sweep in sweeps:
        for key in (key for key in sweep.dense if key[:2] == place):
            known = having.setdefault(key, sweep)
            if known.dense[key] != sweep.dense[key]:
                raise BadInputError(f"{where}: {known.name} and {sweep.name} have different dense networks; {remedy}")


def _board(place: Place, entries: Sequence[Entry], levels: Sequence[Level]) -> Board:
    entries = _once(entries)
    rankings = tuple(_ranking(entries, level) for level in levels)
    dense = {seed: value for entry in reversed(entries) for seed, value in entry.dense.items()}

    def mean_place(entry: Entry) -> float:
        places = ((ranking.place(entry), len(ranking.rows) + 1) for ranking in rankings)
        return fmean(last if found is None else found for found, last in places)

    return Board(
        model=place[0],
        dataset=place[1],
        metric=entries[0].metric,
        dense=fmean(dense.values()) if dense else None,
        entries=tuple(sorted(entries, key=mean_place)),
        rankings=rankings,
    )


def _once(entries: Sequence[Entry]) -> list[Entry]:
    """The methods without those whose networks an earlier sweep has under the same name."""
    found: dict[tuple[str, frozenset[tuple[int, str]]], Entry] = {}
    for each in entries:
        keys = frozenset((seed, one.point.key) for seed, measured in each.networks.items() for one in measured)
        found.setdefault((each.name, keys), each)
    return list(found.values())


def _ranking(entries: Sequence[Entry], level: Level) -> Ranking:
    standings, unreached = [], []
    for entry in entries:
        around = {seed: at_level((each.point for each in measured), level) for seed, measured in entry.networks.items()}
        found = {seed: each for seed, each in around.items() if each is not None}
        if found:
            standings.append(Standing(entry=entry, found=found))
        else:
            unreached.append(entry)
    standings.sort(key=lambda each: each.cost)
    tested = [_tested(each, standings[0]) for each in standings]
    return Ranking(level=level, rows=tuple(tested), unreached=tuple(unreached))


def _tested(standing: Standing, first: Standing) -> Standing:
    if standing is first:
        return standing
    pairs = {
        (first.found[seed].keys, each.keys): (each.value, first.found[seed].value)
        for seed, each in standing.found.items()
        if seed in first.found
    }
    return Standing(entry=standing.entry, found=standing.found, test=paired_test(tuple(pairs.values())))
