"""Networks of a sweep as modules: read from its store, and what can be wrong with them."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save

import orchestrator
from jobs.errors import BadInputError, OrchardError
from orchestrator.commands.running import run
from orchestrator.commands.selecting import Selection, find_network
from orchestrator.export import read_network
from orchestrator.results.lineage import source_network
from orchestrator.results.selection import Requirements
from orchestrator.store.artifacts import blob_path, manifest_path
from workers.artifacts import MASKS_FILE, RECIPE_FILE, WEIGHTS_FILE

pytestmark = pytest.mark.slow


def found_in(store, **wanted):
    asked = Selection(wanted=Requirements(**wanted), seed=None, best=False, by=None)
    return find_network("small", store.uri, asked)


def read(found):
    return read_network(found.record, found.store, found.every, found.selected)


def test_a_network_is_loaded_from_the_store_or_its_uri_and_is_the_measured_one(store):
    model = orchestrator.load_network(store, "small", method="l1", compression=0.3, seed=1)
    assert not model.training
    found = found_in(store, method="l1")
    assert sum(each.numel() for each in model.parameters()) == found.selected.candidate.points[1].metrics["params"]
    again = orchestrator.load_network(store.uri, "small", method="l1", seed=1)
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(model(images), again(images))
    model.train()(images).sum().backward()
    assert model.stem.weight.grad is not None


def test_it_has_to_be_one(store):
    with pytest.raises(BadInputError, match="3 networks are like that"):
        orchestrator.load_network(store, "small")
    with pytest.raises(BadInputError, match="method 'zeroes' has no measured network; did you mean 'zeros'"):
        orchestrator.load_network(store, "small", method="zeroes")


def test_single_weights_that_were_removed_are_zeros_in_the_file_as_it_was_stored(store):
    found = found_in(store, method="zeros")
    chosen = read(found)
    state = chosen.module.state_dict()
    assert chosen.masks
    assert all(bool((state[name][~mask] == 0).all()) for name, mask in chosen.masks.items())
    assert chosen.weights == store.read(chosen.key, WEIGHTS_FILE)


def test_single_weights_that_are_not_zeros_yet_become_zeros(store):
    found = found_in(store, method="zeros")
    evaluated = store.manifest(found.selected.point.key)
    made = store.manifest(evaluated.inputs["network"])
    files = {name: store.read(made.key, name) for name in made.files}
    masks = load(files[MASKS_FILE])
    files[WEIGHTS_FILE] = save({name: tensor + 1 for name, tensor in load(files[WEIGHTS_FILE]).items()})
    store.commit(replace(made, key="cd" * 16), files)
    store.commit(replace(evaluated, key="ef" * 16, inputs={"network": "cd" * 16}), {})
    points = {found.selected.seed: replace(found.selected.point, key="ef" * 16)}
    selected = replace(found.selected, candidate=replace(found.selected.candidate, points=points))
    chosen = read_network(found.record, store, found.every, selected)
    state = load(chosen.weights)
    assert all(bool((state[name][~mask] == 0).all()) for name, mask in masks.items())
    assert all(bool((state[name][mask] != 0).any()) for name, mask in masks.items())


def test_a_network_that_began_within_another_one_is_not_compared_with_that(store):
    found = found_in(store, method="l1")
    evaluated = store.manifest(found.selected.point.key)
    chain = [store.manifest(evaluated.inputs["network"])]
    while (source := source_network(chain[-1])) is not None:
        chain.append(store.manifest(source))
    first = chain[-1]
    files = {name: store.read(first.key, name) for name in first.files}
    recipe = {**json.loads(files[RECIPE_FILE]), "network": "mlp"}
    other = {**files, RECIPE_FILE: json.dumps(recipe).encode(), WEIGHTS_FILE: save({"weight": torch.ones(2)})}
    store.commit(replace(first, key="ab" * 16), other)
    made = chain[0]
    files = {name: store.read(made.key, name) for name in made.files}
    store.commit(replace(made, key="ac" * 16, inputs={"procedure.network": "ab" * 16}), files)
    store.commit(replace(evaluated, key="ad" * 16, inputs={"network": "ac" * 16}), {})
    points = {found.selected.seed: replace(found.selected.point, key="ad" * 16)}
    selected = replace(found.selected, candidate=replace(found.selected.candidate, points=points))
    assert read_network(found.record, store, found.every, selected).structure == read(found).structure


def test_a_damaged_network_is_named_and_the_next_run_makes_it_again(store, computed, tmp_path, empty_database):
    found = found_in(store, method="l1")
    key = read(found).key
    path = blob_path(store.manifest(key).files[WEIGHTS_FILE].sha256)
    content = store.files.read(path)
    store.files.replace(path, content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(OrchardError, match=rf"{key}.*`orchard run` of the sweep small computes it again"):
        read(found)
    assert not store.files.exists(manifest_path(key))
    (tmp_path / "mlflow.db").write_bytes(empty_database)
    overrides = [f"storage={store.uri}", f"tracking=sqlite:///{tmp_path}/mlflow.db"]
    assert run(str(computed / "sweep.yaml"), overrides, backend="inline") == 0
    assert store.files.read(path) == content
    assert read(found).key == key


def test_a_class_that_has_changed_is_refused_with_every_name_that_differs(store, changed_class):
    with pytest.raises(BadInputError, match="has changed since the sweep ran") as caught:
        orchestrator.load_network(store, "small", method="l1")
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == [
        "more.bias: new",
        "more.weight: new",
        "depthwise.bias: gone",
        "depthwise.weight: gone",
        "point.weight: (16, 8, 3, 3), in the sweep (16, 8, 1, 1)",
    ]


def test_an_edited_module_is_noticed_though_all_shapes_are_the_same(store, monkeypatch):
    assert not read(found_in(store, method="l1")).source_changed
    monkeypatch.setattr("orchestrator.export.chosen.read_modules", lambda path: {"own": "another"})
    assert read(found_in(store, method="l1")).source_changed
