"""Two processes train as one does, and go on where another number of them stopped."""

import multiprocessing

import pytest
import torch
from shared_trainings import CPU, RECIPES, RESUMED, follow, kept_in, stop_at

from jobs.errors import BadInputError, CancelledError
from workers.parallel import ALONE, Processes, joined, meet

STOP = 7
"""In the second epoch, between the two batches of an update: four batches and a validation ask in each epoch."""


def all_trainings(processes, begun):
    """What the processes make of each recipe, and of one that was begun before."""
    found = {name: follow(name, processes) for name in RECIPES}
    return {**found, "begun before": follow(RESUMED, processes, kept_in(begun))}


def second(meeting):
    with joined(1, 2, meeting=meet(meeting, 1, 2), device=CPU) as processes:
        all_trainings(processes, {})  # the first one has the checkpoint


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Of two processes."""
    begun = {}
    with pytest.raises(CancelledError):
        follow(RESUMED, ALONE, kept_in(begun), stop_at(STOP))
    meeting = tmp_path_factory.mktemp("processes") / "meeting"
    other = multiprocessing.get_context("spawn").Process(target=second, args=(meeting,))  # forks hang in OpenMP
    other.start()
    try:
        with joined(0, 2, meeting=meet(meeting, 0, 2), device=CPU) as processes:
            return all_trainings(processes, begun)
    finally:
        other.join()


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(
            found[name], tensor, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name} {text}"
        )


@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_give_the_weights_of_one(results, name):
    assert_close(results[name], follow(name, ALONE))


def test_a_training_that_one_process_began_goes_on_with_two(results):
    assert_close(results["begun before"], follow(RESUMED, ALONE))


@pytest.mark.parametrize(("samples", "size"), [(7, 2), (8, 4), (5, 5), (9, 4)])
def test_every_sample_of_a_batch_is_in_one_share_and_counts_alike(samples, size):
    shares = [Processes(number=number, size=size).share(samples) for number in range(size)]
    taken = [list(range(samples))[share.taken] for share in shares]
    assert [sample for own in taken for sample in own] == list(range(samples))
    for share, own in zip(shares, taken, strict=True):
        assert share.factor == pytest.approx(size * len(own) / samples)
        assert not share.alone


@pytest.mark.parametrize(("samples", "size"), [(7, 1), (2, 3)])
def test_a_batch_of_fewer_samples_than_processes_is_taken_whole(samples, size):
    for number in range(size):
        share = Processes(number=number, size=size).share(samples)
        assert (share.taken, share.factor, share.alone) == (slice(0, samples), 1.0, True)


def test_the_first_process_goes_on_drawing_and_the_others_draw_apart():
    drawn = []
    for number in range(3):
        generator = torch.Generator().manual_seed(1)
        Processes(number=number, size=3).draw_apart([generator])
        drawn.append(float(torch.rand((), generator=generator)))
    assert drawn[0] == float(torch.rand((), generator=torch.Generator().manual_seed(1)))
    assert len(set(drawn)) == 3


def test_compiled_networks_are_for_one_process(monkeypatch):
    monkeypatch.setitem(RECIPES, "compiled", RECIPES["plain"].model_copy(update={"compile": True}))
    with pytest.raises(BadInputError, match="compile"):
        follow("compiled", Processes(size=2))
