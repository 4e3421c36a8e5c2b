from dataclasses import replace

import pytest
from stored_sweeps import stored_sweep

from jobs.stages.table import StageKind
from orchestrator.results.reachability import needed
from orchestrator.store import open_store
from orchestrator.store.catalog import Catalog

METHODS = {"l1": {"kind": "criterion", "criterion": "l1"}, "integral": {"kind": "integral"}}


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def sweep(store, tiny_sweep, tmp_path):
    return stored_sweep(store, {**tiny_sweep, "methods": METHODS}, tmp_path / "sweep.yaml")


class Manifests(dict):
    """What a catalog reads of a store."""

    def each_manifest(self, keys):
        return self.items()

    def manifest(self, key):
        return self[key]


def manifests(store) -> dict:
    return store.manifests(store.keys())[0]


def without(store, *stages: StageKind) -> Catalog:
    kept = {key: manifest for key, manifest in manifests(store).items() if manifest.stage not in stages}
    return Catalog(Manifests(kept))


def test_a_finished_sweep_needs_all_that_its_points_were_made_of(store, sweep):
    assert needed([sweep.record], Catalog(store)).keys == sweep.tasks.keys()


def test_without_its_plan_the_manifests_lead_from_the_points_to_everything(store, sweep):
    """Orders and scores too: nothing but the inputs of permute and prune names them."""
    found = needed([replace(sweep.record, environment={})], Catalog(store))
    assert (found.keys, found.unplanned) == (sweep.tasks.keys(), ())


def test_an_unfinished_sweep_needs_what_its_next_run_will_read(store, sweep):
    found = needed([sweep.record], without(store, StageKind.EVALUATE, StageKind.PRUNE, StageKind.PERMUTE))
    assert found.keys == sweep.tasks.keys()
    assert found.unplanned == ()


def test_an_unfinished_sweep_that_cannot_be_planned_again_is_named(store, sweep):
    unfinished = without(store, StageKind.EVALUATE)
    assert needed([replace(sweep.record, environment={})], unfinished).unplanned == ("tiny",)
    # Another version of torch: other keys, so the plan of today is not that of then.
    other = {**sweep.record.environment, "torch_version": "3"}
    assert needed([replace(sweep.record, environment=other)], unfinished).unplanned == ("tiny",)
    # A field that this version of the code does not know.
    newer = {**sweep.record.environment, "unheard_of": 1}
    assert needed([replace(sweep.record, environment=newer)], unfinished).unplanned == ("tiny",)


def test_no_sweep_needs_nothing(store, sweep):
    assert needed([], Catalog(store)).keys == frozenset()


def test_artifacts_of_version_0_1_name_their_inputs_and_not_the_orders_that_they_joined(store, sweep):
    """Their parameters were told otherwise; of a permutation that is there, nobody reads the orders any more."""
    old = {
        key: replace(manifest, identity={"stage": manifest.stage, "params": {"ordering": {"method": "tsp"}}})
        for key, manifest in manifests(store).items()
    }
    found = needed([replace(sweep.record, environment={})], Catalog(Manifests(old)))
    assert found.keys == sweep.tasks.keys() - sweep.keys(StageKind.ORDER)
