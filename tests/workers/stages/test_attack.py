"""Stage `attack`: classifiers of images that are made to deceive them."""

from dataclasses import replace

import pytest
import torch

from jobs.spec.attack import FgsmAttack, PgdAttack
from workers.attacks import attack
from workers.data import load_dataset
from workers.stages._images import read_data

ATTACKS = {"fgsm": FgsmAttack(kind="fgsm", epsilon=16), "pgd": PgdAttack(kind="pgd", epsilon=16, steps=3)}


@pytest.fixture(scope="module")
def dense(bench):
    return bench.train()


def test_every_metric_is_measured_with_and_without_each_attack(bench, dense):
    measured = bench.measured(bench.attack(dense, **ATTACKS))
    names = ("accuracy", "top5", "f1", "calibration_error")
    assert measured.keys() == {f"{name}/{variant}" for name in names for variant in ("clean", *ATTACKS)}
    assert max(measured["accuracy/pgd"], measured["accuracy/fgsm"]) < measured["accuracy/clean"] - 0.1


def test_of_all_images_the_clean_metrics_are_those_of_the_evaluation(bench, dense):
    clean = bench.measured(bench.attack(dense, 10**6, fgsm=ATTACKS["fgsm"]))
    evaluated = bench.measured(bench.evaluate(dense))
    assert clean["accuracy/clean"] == evaluated["accuracy"]


def test_the_metrics_are_those_of_the_first_images_attacked(bench, dense):
    module, test = bench.network(dense), load_dataset("digits").test
    images, labels = test.read(torch.arange(30)), test.read_targets(torch.arange(30))
    deceiving = attack(module, images, labels, ATTACKS["fgsm"], generator=torch.Generator())
    with torch.inference_mode():
        right = (module(deceiving).argmax(1) == labels).double().mean()
    assert bench.measured(bench.attack(dense, 30, fgsm=ATTACKS["fgsm"]))["accuracy/fgsm"] == pytest.approx(float(right))


def test_what_an_attack_draws_does_not_depend_on_other_attacks(bench, dense):
    alone, beside = bench.attack(dense, pgd=ATTACKS["pgd"]), bench.attack(dense, a=ATTACKS["pgd"], **ATTACKS)
    assert bench.measured(alone)["accuracy/pgd"] == bench.measured(beside)["accuracy/pgd"]


@pytest.mark.parametrize("taken", ["fgsm", "clean"])
def test_an_attack_has_no_name_of_a_test_set(bench, dense, monkeypatch, failure, taken):
    def with_a_set(context, params):
        data = read_data(context, params)
        return replace(data, test_sets={taken: data.test})

    monkeypatch.setattr("workers.stages.attack.read_data", with_a_set)
    assert f"a test set named '{taken}'" in failure(bench.run(bench.attacking(dense, 7, **ATTACKS))).message


def test_pruned_networks_are_attacked_like_others(bench):
    pruned = bench.remove(bench.convert(fold=False), 0.4)
    measured = bench.measured(bench.attack(pruned, 10**6, fgsm=ATTACKS["fgsm"]))
    assert measured["accuracy/clean"] == bench.measured(bench.evaluate(pruned))["accuracy"]
    assert measured["accuracy/fgsm"] < measured["accuracy/clean"]
