from pathlib import Path

import pytest
import torch

from jobs.artifact import Manifest
from jobs.outcome import Cause
from jobs.stages.base import ArtifactKey
from jobs.stages.scoring import Observed, ScoreParams
from workers.criteria import CRITERIA


@pytest.fixture
def own_code(monkeypatch) -> str:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return "own_criteria"


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_channel_is_scored(bench, criterion):
    converted = bench.convert(fold=False)
    key = bench.score(converted, criterion)
    assert bench.measured(key) == {"groups_scored": 4}
    scores = bench.tensors(key, "scores.safetensors")
    assert {name: len(values) for name, values in scores.items()} == {
        group["name"]: group["width"] for group in bench.measured(converted)["groups"]
    }


def test_random_scores_follow_the_seed(bench):
    converted = bench.convert(fold=False)
    keys = [bench.score(converted, "random", seed) for seed in (0, 1)]
    first, second = (bench.tensors(key, "scores.safetensors") for key in keys)
    assert not any(torch.equal(first[name], second[name]) for name in first)


def test_a_criterion_that_reads_what_the_sweep_did_not_plan_is_bad_input(own_bench, failure, own_code):
    converted = own_bench.convert(fold=False)
    params = ScoreParams(network=converted, criterion=f"{own_code}:active", seed=0, source="s")
    outcome = own_bench.run(params)
    assert failure(outcome).cause is Cause.BAD_INPUT
    assert "reads activations; the sweep says no `observation`; set `observation: activations`" in outcome.message


def test_a_criterion_and_an_observation_of_the_users_own(own_bench, own_code):
    converted = own_bench.convert(fold=False)
    observed = own_bench.observe(converted, f"{own_code}:widths")
    reading = Observed(observation=f"{own_code}:widths", artifact=observed)
    params = ScoreParams(network=converted, criterion=f"{own_code}:by_width", seed=0, source="s", observed=reading)
    key = own_bench.key(params)
    scores = own_bench.tensors(key, "scores.safetensors")
    assert scores["conv1"].tolist() == [-8.0] * 8


@pytest.mark.parametrize(
    ("criterion", "cause", "said"),
    [
        ("too_few", Cause.BAD_INPUT, "one per unit is needed"),
        ("returns_nothing", Cause.BAD_INPUT, "returns a NoneType; return a dictionary from each group to a tensor"),
        ("arrays", Cause.BAD_INPUT, "gives a ndarray for conv1; give a tensor of one score per unit: torch.from_numpy"),
        ("lists", Cause.BAD_INPUT, "gives a list for conv1; give a tensor of one score per unit"),
        ("divides_by_zero", Cause.BAD_NUMERICS, "are not finite; look for a division by zero"),
        ("misspelt", Cause.BUG, "has no attribute 'widhts'"),
    ],
)
def test_what_an_own_criterion_does_wrong_is_said_with_its_name(own_bench, failure, own_code, criterion, cause, said):
    name = f"{own_code}:{criterion}"
    outcome = own_bench.run(ScoreParams(network=own_bench.convert(fold=False), criterion=name, seed=0, source="s"))
    assert failure(outcome).cause is cause
    assert f"criterion '{name}'" in outcome.message
    assert said in outcome.message


def test_weights_that_are_not_numbers_are_bad_numerics(own_bench, failure):
    from safetensors.torch import save

    converted = own_bench.convert(fold=False)
    state = own_bench.tensors(converted)
    state["layer1.0.conv1.weight"][0] = float("nan")
    files = {name: own_bench.store.read(converted, name) for name in own_bench.digests(converted)}
    broken = Manifest(key="e" * 32, stage="convert", identity={}, measurements={})
    own_bench.store.commit(broken, {**files, "weights.safetensors": save(state)})
    outcome = own_bench.run(ScoreParams(network=ArtifactKey("e" * 32), criterion="l1"))
    assert failure(outcome).cause is Cause.BAD_NUMERICS
    assert "layer1.0.conv1" in outcome.message
