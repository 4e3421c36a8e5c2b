from dataclasses import replace

import pytest
import torch

from jobs.artifact import Commit
from jobs.outcome import Cause, Succeeded
from jobs.task import Locations
from workers.allocation import ALLOCATIONS, AllocationProblem, allocate
from workers.channels import ChannelMap, ParameterCount

PARTITION = "partition.safetensors"


def test_it_measures_the_loss_before_and_after(bench):
    measured = bench.measured(bench.tune(bench.permute()))
    held_out = {f"{name}_{when}" for name in ("loss", "accuracy") for when in ("before", "after")}
    assert measured.keys() == {*held_out, "best_step", "training_epochs", "training_macs"}
    assert measured["accuracy_after"] >= measured["accuracy_before"]
    assert 0 <= measured["best_step"] <= 6


def test_it_tells_its_speed(bench):
    timings = bench.store.manifest(bench.tune(bench.permute())).timings
    assert timings.keys() == {"samples_per_s", "data_wait_s"}
    assert timings["samples_per_s"] > 0


def test_it_costs_as_much_as_training_the_smaller_network(bench):
    permuted = bench.permute()
    tuned = bench.measured(bench.tune(permuted))
    assert tuned["training_epochs"] == 6 * 32 / 1000  # steps of a batch, of the training images
    resampled = bench.measured(bench.resample(permuted, tuned=bench.tune(permuted)))
    assert tuned["training_macs"] == 3 * resampled["macs"] * 6 * 32
    assert all(resampled[name] == tuned[name] for name in ("training_epochs", "training_macs"))


def test_it_costs_no_more_than_the_samples_it_used(bench):
    tuned = bench.measured(bench.tune(bench.permute(), samples=40))  # a pass is a batch of 32 and one of 8
    assert tuned["training_epochs"] == 3 * 40 / 1000


def test_its_file_holds_the_cells_of_every_group(bench):
    permuted = bench.permute()
    channel_map = ChannelMap.from_json(bench.json(permuted, "channels.json"))
    cells = bench.tensors(bench.tune(permuted), PARTITION)
    problem = AllocationProblem(channel_map=channel_map, target=0.3, cost=ParameterCount(channel_map))
    assert {name: len(each) for name, each in cells.items()} == allocate(ALLOCATIONS["uniform"], problem).widths
    for each in cells.values():
        assert each.sum().item() == pytest.approx(1, abs=1e-12)


def test_biases_come_along_where_asked(bench):
    permuted = bench.permute()
    names = bench.tensors(bench.tune(permuted, biases=True), PARTITION).keys()
    biases = {name for name in bench.tensors(permuted) if name.endswith("bias")}
    assert {name.removeprefix("bias:") for name in names if name.startswith("bias:")} == biases


def test_batch_norms_that_were_not_folded_are_no_obstacle(bench):
    measured = bench.measured(bench.tune(bench.permute(bench.convert(fold=False))))
    assert measured["accuracy_after"] >= measured["accuracy_before"]


def test_the_dense_target_gives_another_partition(bench):
    permuted = bench.permute()
    labels = bench.tensors(bench.tune(permuted), PARTITION)
    dense = bench.tensors(bench.tune(permuted, target="dense"), PARTITION)
    assert any(not torch.equal(labels[name], dense[name]) for name in labels)


@pytest.mark.parametrize("target", ["labels", "dense"])
def test_it_looks_at_the_held_out_images_in_batches_of_the_size_that_the_task_is_given(bench, evaluated, target):
    params = replace(bench.tuning(bench.permute(), target=target), seed=8)
    evaluated.clear()
    assert isinstance(bench.run(params, locations=Locations(evaluation_batch_size=20)), Succeeded)
    assert evaluated == {32, 20}  # those of the steps, and a fifth of the held-out images


def test_it_stops_when_asked_to(bench, failure):
    permuted = bench.permute()
    params = replace(bench.tuning(permuted), seed=9)
    outcome = bench.run(params, should_stop=lambda: True)
    assert failure(outcome).cause is Cause.CANCELLED


def test_lost_in_the_middle_it_ends_with_the_same_artifact(bench, lost, lost_at):
    permuted = bench.permute()
    asked = replace(bench.tuning(permuted), seed=21)
    with pytest.raises(lost):
        bench.run(asked, should_stop=lost_at(5), checkpoint_interval_s=0)
    counter = lost_at(10**9)
    outcome = bench.run(asked, should_stop=counter)
    assert isinstance(outcome, Succeeded)
    assert counter.asked < 1 + 6  # before the stage, and at each step
    assert bench.run_again(outcome.key) is Commit.REPEATED


def test_it_tunes_what_is_repaired(bench):
    permuted = bench.permute()
    plain, repaired = bench.sampling("adaptive", "means"), bench.sampling("adaptive", "means", "variance")
    losses = [
        bench.measured(bench.key(replace(bench.tuning(permuted, steps=1), how=how)))["loss_before"]
        for how in (plain, repaired)
    ]
    assert losses[0] != losses[1]
