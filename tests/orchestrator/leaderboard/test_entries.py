"""A sweep in a store as a leaderboard reads it."""

import hashlib
from dataclasses import replace

import pytest
from stored_sweeps import commit, stored_sweep

from jobs.artifact import Manifest
from jobs.errors import BadInputError
from jobs.spec.needs import DataNeed
from jobs.stages.table import StageKind
from orchestrator.leaderboard.entries import read_sweep
from orchestrator.results import SweepRecord
from orchestrator.store import open_store

SECONDS = {StageKind.TRAIN: 1000.0, StageKind.EVALUATE: 100.0, StageKind.ORDER: 4.0, StageKind.PERMUTE: 2.0}
"""How long tasks took, half a second where it is not said. There are two of `order`."""
MEASURED = {"accuracy": 0.9, "speedup": 2.0, "compression_ratio": 2.0, "compression": 0.5}


SWEEP = {
    "name": "tiny",
    "controls": False,
    "data": {"dataset": "digits"},
    "compressions": [0.2, 0.4],
    "models": {"net": {"network": "resnet", "train": {"epochs": 1}}},
    "methods": {
        "dense": {"kind": "dense"},
        "l1": {"kind": "criterion", "criterion": "l1"},
        "integral": {"kind": "integral"},
        "taylor": {"kind": "criterion", "criterion": "taylor"},
    },
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A sweep with all its tasks in a store, and with what they measured."""
    folder = tmp_path_factory.mktemp("stored")
    store = open_store(folder / "store")
    return store, stored_sweep(_Timed(store), SWEEP, folder / "sweep.yaml")


class _Timed:
    """A store whose artifacts took `SECONDS`, and whose evaluations measured `MEASURED`."""

    def __init__(self, store) -> None:
        self._store = store

    def commit(self, manifest: Manifest, files) -> None:
        stage = StageKind(manifest.stage)
        measured = MEASURED if stage is StageKind.EVALUATE else manifest.measurements
        fields = {name: getattr(manifest, name) for name in ("key", "identity", "inputs", "label")}
        timed = Manifest(stage=stage.value, measurements=measured, duration_s=SECONDS.get(stage, 0.5), **fields)
        self._store.commit(timed, files)

    def write_sweep(self, *arguments) -> None:
        self._store.write_sweep(*arguments)


def entries(store, record):
    return {each.method: each for each in read_sweep(record, store).entries["net", "digits"]}


def test_it_has_the_pruned_networks_with_the_dense_one_and_the_data_that_they_need(stored):
    store, sweep = stored
    found = entries(store, sweep.record)
    needs = {"l1": DataNeed.NONE, "integral": DataNeed.NONE, "taylor": DataNeed.LABELLED}
    assert {name: each.need for name, each in found.items()} == needs
    assert found["l1"].dense == {0: 0.9}
    assert [each.point.asked for each in found["l1"].networks[0]] == [0.2, 0.4]


def test_the_time_is_that_of_all_tasks_but_the_dense_networks_and_the_evaluation(stored):
    store, sweep = stored
    found = entries(store, sweep.record)
    assert found["l1"].networks[0][0].seconds == 4 * 0.5  # analyse, convert, score, prune
    assert found["integral"].networks[0][0].seconds == 3 * 0.5 + 2.0 + 2 * 4.0  # the orders that appeared, too
    assert found["taylor"].networks[0][0].seconds == 5 * 0.5  # and observe


def test_the_time_of_rivals_in_a_race_is_not_its_own(tmp_path):
    methods = {name: {"kind": "criterion", "criterion": name, "protocols": ["tuned"]} for name in ("l1", "l2", "fpgm")}
    tuned = {"kind": "fine-tune", "train": {"epochs": 2}, "race": {"rungs": [0.2, 0.5]}}
    raced = {**SWEEP, "methods": {"dense": {"kind": "dense"}, **methods}, "protocols": {"tuned": tuned}}
    store = open_store(tmp_path / "store")
    sweep = stored_sweep(_Timed(store), raced, tmp_path / "sweep.yaml")
    legs, races = 3, 2
    for each in entries(store, sweep.record).values():
        seconds = [one.seconds for one in each.networks[0]]
        assert seconds == [4 * 0.5 + legs * SECONDS[StageKind.TRAIN] + races * 0.5] * 2


def test_a_seed_of_which_nothing_is_measured_is_still_planned(tmp_path):
    class Failing(_Timed):
        def commit(self, manifest: Manifest, files) -> None:
            if not (manifest.label.startswith("net/l1") and manifest.label.endswith("seed1")):
                super().commit(manifest, files)

    store = open_store(tmp_path / "store")
    sweep = stored_sweep(Failing(store), {**SWEEP, "seeds": [0, 1]}, tmp_path / "sweep.yaml")
    found = entries(store, sweep.record)
    assert {name: (each.planned, tuple(each.networks)) for name, each in found.items()} == {
        "l1": ((0, 1), (0,)),
        "integral": ((0, 1), (0, 1)),
        "taylor": ((0, 1), (0, 1)),
    }


def test_data_are_known_by_their_content_not_by_their_place(stored):
    store, sweep = stored
    record, place = sweep.record, ("net", "digits")
    assert dict(read_sweep(record, store).contents) == {place: "d"}
    model = {**record.spec["models"]["net"], "data": {"dataset": "digits", "root": "/elsewhere"}}
    own = {**record.spec, "models": {"net": model}}
    environment = {**record.environment, "own_data": {"models.net.data": "o"}}
    found = read_sweep(replace(record, spec=own, environment=environment), store)
    assert (dict(found.contents), "root" in found.data[place]) == ({place: "o"}, False)
    assert dict(read_sweep(replace(record, environment={}), store).contents) == {place: ""}


class _Forgetful:
    """A store that no longer has the artifacts of one stage."""

    def __init__(self, store, stage: StageKind) -> None:
        self._store, self._stage = store, stage

    def __getattr__(self, name):
        return getattr(self._store, name)

    def manifests(self, keys):
        found, damaged = self._store.manifests(keys)
        return {key: each for key, each in found.items() if each.stage != self._stage.value}, damaged


def test_a_task_that_is_no_longer_there_leaves_the_time_open(stored):
    store, sweep = stored
    found = entries(_Forgetful(store, StageKind.SCORE), sweep.record)
    assert found["l1"].networks[0][0].seconds is None
    assert found["integral"].networks[0][0].seconds is not None


def test_the_digest_is_that_of_the_file_as_it_was_run(stored):
    store, sweep = stored
    found = read_sweep(sweep.record, store)
    assert found.digest == hashlib.sha256(found.yaml.encode()).hexdigest()
    assert "name: tiny" in found.yaml


def test_a_sweep_of_which_nothing_is_pruned_yet_is_refused(stored, tmp_path):
    _, sweep = stored
    store = open_store(tmp_path / "store")
    dense = next(curve for curve in sweep.record.curves if curve.method == "dense")
    commit(store, sweep.tasks[dense.points[0].key], **MEASURED)
    with pytest.raises(BadInputError, match="sweep tiny: no pruned network is measured yet"):
        read_sweep(sweep.record, store)


def test_one_that_this_version_cannot_read_is_refused(stored):
    store, sweep = stored
    record = SweepRecord(name="tiny", spec={**sweep.record.spec, "methods": {}}, curves=sweep.record.curves)
    with pytest.raises(BadInputError, match=r"cannot be read here: methods: .*if another version of Orchard recorded"):
        read_sweep(record, store)


def test_one_whose_own_code_is_not_there_says_so(stored):
    store, sweep = stored
    methods = {**sweep.record.spec["methods"], "own": {"kind": "criterion", "criterion": "absent_lab:score"}}
    record = SweepRecord(name="tiny", spec={**sweep.record.spec, "methods": methods}, curves=sweep.record.curves)
    with pytest.raises(BadInputError, match=r"methods\.own\.criterion: no package 'absent_lab' is found; run from"):
        read_sweep(record, store)
