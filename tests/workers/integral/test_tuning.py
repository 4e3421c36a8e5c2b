import copy
import dataclasses
import math
from functools import partial, partialmethod

import pytest
import torch
import torch._dynamo
from torch import nn
from torch.nn import functional
from tunings import CLASSIFICATION, QUADRATURE, RECIPE, never, no_checkpoint, pose, same, start_of, tune

from jobs.errors import BadInputError, BadNumericsError, CancelledError
from jobs.spec.integral import TuneSpec
from workers.channels import find_groups
from workers.data import Split
from workers.deferred import Deferred
from workers.integral import PARTITIONS, choose_cells, nodes_of, resample, tuning
from workers.integral.problem import TuningProblem
from workers.integral.tuning import tune_partition
from workers.objectives.classification import RightAnswers


def with_labels(problem, labels):
    module, channel_map, data = problem
    train, validation = (
        Split(images=each.images, targets=torch.full_like(each.targets, labels))
        for each in (data.train, data.validation)
    )
    return module, channel_map, dataclasses.replace(data, train=train, validation=validation)


@pytest.mark.parametrize("learning_rate", [0.01, 30.0])
@pytest.mark.parametrize("target", ["labels", "dense"])
def test_it_is_never_worse_than_its_start_on_the_held_out_images(problem, learning_rate, target):
    tuned = tune(problem, learning_rate=learning_rate, target=target)
    assert tuned.after.rank <= tuned.before.rank


def test_the_primary_metric_chooses_the_state_and_the_loss_decides_a_tie(problem):
    tuned = tune(problem, steps=40, learning_rate=0.02)
    accuracy, loss = tuned.after.metrics["accuracy"], tuned.after.loss
    assert tuned.after.rank == (-accuracy, loss)
    assert accuracy > tuned.before.metrics["accuracy"]


def test_without_labels_the_loss_chooses_the_state(problem):
    tuned = tune(problem, target="dense")
    assert (tuned.after.rank, tuned.after.metrics) == ((tuned.after.loss,), {})


def test_outputs_that_are_no_numbers_rank_last(problem):
    module, channel_map, data = problem
    module.state_dict()["2.weight"].fill_(float("nan"))
    posed = TuningProblem(
        module.eval(),
        channel_map,
        start_of(module, channel_map),
        QUADRATURE,
        biases=False,
        target="labels",
        objective=CLASSIFICATION,
        how=TuneSpec(),
    )
    assert posed.quality(data.validation, 256, torch.device("cpu")).rank == (math.inf, math.inf)


def test_a_metric_that_is_no_number_before_is_no_obstacle(problem, monkeypatch):
    """Else nothing would ever be better."""
    compute, first = RightAnswers.compute, iter([torch.tensor(math.nan)])
    monkeypatch.setattr(RightAnswers, "compute", lambda self: next(first, compute(self)))
    tuned = tune(problem)
    assert math.isnan(tuned.before.metrics["accuracy"])
    assert tuned.best_step > 0


def test_in_half_precision_it_learns_as_well(problem):
    tuned = tune(problem, steps=40, learning_rate=0.02, target="dense", precision="bfloat16")
    assert tuned.after.loss < 0.9 * tuned.before.loss
    in_full = tune(problem, steps=40, learning_rate=0.02, target="dense")
    assert not same(tuned.cells, in_full.cells)


def test_without_a_compiler_it_does_not_begin(problem, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadInputError, match="needs a C"):
        tune(problem, compile=True)


def test_a_table_that_is_looked_up_once_is_looked_up_in_every_partition(looked_up):
    module, channel_map, data = looked_up

    def new_problem():
        settings = {"biases": False, "target": "labels", "objective": CLASSIFICATION, "how": RECIPE}
        return TuningProblem(module, channel_map, start_of(module, channel_map), QUADRATURE, **settings)

    def moved(problem):
        with torch.no_grad():
            for delta in problem.free.values():
                delta.mul_(torch.linspace(0.4, 1.6, len(delta)))
        return problem.loss(data.train.images, data.train.targets).item()

    problem = new_problem()
    problem.quality(data.validation, 256, torch.device("cpu"))
    assert moved(problem) == moved(new_problem())


@pytest.mark.parametrize("how", [{"channels_last": True}, {"compile": True}, {"channels_last": True, "compile": True}])
def test_however_it_runs_it_learns_the_same(problem, monkeypatch, how):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    as_it_is = tune(problem, steps=10, learning_rate=0.02)
    with torch._dynamo.config.patch(recompile_limit=4, fail_on_recompile_limit_hit=True):  # once, not at every step
        tuned = tune(problem, steps=10, learning_rate=0.02, **how)
    torch.compiler.reset()
    assert tuned.after.loss == pytest.approx(as_it_is.after.loss, rel=1e-4)
    for name, cells in as_it_is.cells.items():
        torch.testing.assert_close(tuned.cells[name], cells, rtol=1e-3, atol=1e-5)


def test_where_nothing_helps_the_start_comes_back(problem):
    module, channel_map, _ = problem
    tuned = tune(problem, steps=1, learning_rate=1e-30)  # too small to move anything
    assert (tuned.best_step, tuned.after.loss) == (0, tuned.before.loss)
    for name, cells in start_of(module, channel_map).items():
        torch.testing.assert_close(tuned.cells[name], cells, rtol=0, atol=1e-12)


def test_it_learns(problem):
    # The dense network as the target: the loss is how far the small one is from it.
    tuned = tune(problem, steps=40, learning_rate=0.02, target="dense")
    assert tuned.best_step > 0
    assert tuned.after.loss < 0.9 * tuned.before.loss


@pytest.mark.parametrize("name", ["residual", "concat"])
def test_it_learns_through_batch_norms_that_were_not_folded(problem_of, name):
    # Their statistics move with the nodes; torch's own batch norm has no gradient for them.
    tuned = tune(problem_of(name), steps=20, learning_rate=0.02, target="dense")
    assert tuned.after.loss < 0.9 * tuned.before.loss


@pytest.mark.parametrize("name", ["residual", "concat", "flattened"])
@pytest.mark.parametrize("biases", [False, True])
def test_the_loss_it_reports_is_that_of_what_it_returns(problem_of, rebuilt, name, biases):
    problem = module, channel_map, data = problem_of(name)
    tuned = tune(problem, biases=biases)
    nodes = {name: nodes_of(cells) for name, cells in tuned.cells.items()}
    state = {**resample(module.state_dict(), channel_map, nodes, QUADRATURE), **tuned.biases}
    with torch.no_grad():
        loss = functional.cross_entropy(rebuilt(module, state)(data.validation.images), data.validation.targets)
    assert loss.item() == pytest.approx(tuned.after.loss, rel=1e-5)


def test_the_activation_in_a_norm_counts(rebuilt):
    layers = pytest.importorskip("timm.layers", reason="the extra timm is not installed")
    torch.manual_seed(0)
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    module = nn.Sequential(nn.Conv2d(1, 6, 3), layers.BatchNormAct2d(6), *pooled).eval()
    problem = _, channel_map, data = pose(module, find_groups(module, (1, 8, 8)))
    tuned = tune(problem)
    state = resample(module.state_dict(), channel_map, {"0": nodes_of(tuned.cells["0"])}, QUADRATURE)
    with torch.no_grad():
        loss = functional.cross_entropy(rebuilt(module, state)(data.validation.images), data.validation.targets)
    assert loss.item() == pytest.approx(tuned.after.loss, rel=1e-5)


def test_cells_keep_their_number_and_fill_the_unit_interval(problem):
    tuned = tune(problem)
    assert {name: len(cells) for name, cells in tuned.cells.items()} == {"0": 2, "2": 3, "6": 3}
    for cells in tuned.cells.values():
        assert (cells.dtype, cells.device.type) == (torch.float64, "cpu")
        assert (cells > 0).all()
        assert cells.sum().item() == pytest.approx(1, abs=1e-12)


def test_the_same_generator_gives_the_same_partition(problem):
    first, second, other = tune(problem), tune(problem), tune(problem, seed=1)
    assert first.best_step > 0
    assert same(first.cells, second.cells)
    assert (first.before.loss, first.after.loss) == (second.before.loss, second.after.loss)
    assert not same(first.cells, other.cells)


def test_the_module_is_left_as_it_is(problem):
    module, *_ = problem
    module[0].train()
    before, flags = copy.deepcopy(module.state_dict()), [each.training for each in module.modules()]
    tune(problem, biases=True)
    assert same(module.state_dict(), before)
    assert [each.training for each in module.modules()] == flags
    assert all(each.grad is None and each.requires_grad for each in module.parameters())


def test_the_global_generator_is_not_drawn_on(problem):
    before = torch.get_rng_state()
    tune(problem)
    assert torch.equal(torch.get_rng_state(), before)


def test_biases_stay_unless_asked_for(problem):
    assert tune(problem).biases == {}


def test_biases_are_tuned_at_the_smaller_size(problem):
    tuned = tune(problem, biases=True)
    assert {name: len(bias) for name, bias in tuned.biases.items()} == {
        "0.bias": 2,
        "2.bias": 3,
        "6.bias": 3,
        "8.bias": 4,
    }


def test_biases_bring_more_than_the_partition_alone(problem):
    assert tune(problem, biases=True, steps=40).after.loss < tune(problem, steps=40).after.loss


def test_the_dense_target_needs_no_labels(problem):
    # -1 is no class: cross-entropy would refuse it.
    unlabelled = tune(with_labels(problem, -1), target="dense")
    assert same(unlabelled.cells, tune(problem, target="dense").cells)


def test_at_full_size_the_dense_target_is_met_from_the_start(problem):
    module, channel_map, data = problem
    tuned = tune_partition(
        module,
        channel_map,
        choose_cells(module.state_dict(), channel_map, channel_map.widths(), PARTITIONS["uniform"]),
        QUADRATURE,
        data,
        RECIPE.model_copy(update={"target": "dense"}),
        CLASSIFICATION,
        generator=torch.Generator().manual_seed(0),
        device=torch.device("cpu"),
        evaluation_batch_size=256,
        should_stop=never,
        checkpoint=no_checkpoint(),
    )
    assert tuned.before.loss == pytest.approx(0, abs=1e-6)


def test_only_the_samples_allowed_are_seen(problem):
    # NaN images beyond the first eight of the shuffled order are never read.
    module, channel_map, data = problem
    seen = torch.randperm(64, generator=torch.Generator().manual_seed(0))[:8]
    images = torch.full_like(data.train.images, float("nan"))
    images[seen] = data.train.images[seen]
    data = dataclasses.replace(data, train=Split(images=images, targets=data.train.targets))
    tune((module, channel_map, data), samples=8)


@pytest.mark.parametrize(("steps", "samples"), [(3, 64), (8, 64), (9, 64), (3, 1000), (4, 24), (5, 7)])
def test_the_samples_that_are_used_are_counted(problem, monkeypatch, steps, samples):
    used, take_step = [], tuning._TuningRun.take_step

    def count(run, inputs, targets):
        used.append(len(targets))
        take_step(run, inputs, targets)

    monkeypatch.setattr(tuning._TuningRun, "take_step", count)
    recipe = {"steps": steps, "samples": samples, "batch_size": 24}
    tune(problem, **recipe)
    assert sum(used) == tuning.samples_used(RECIPE.model_copy(update=recipe), 64)


def test_cancellation_is_polled_per_step(problem):
    answers = iter([False, False, True])
    with pytest.raises(CancelledError, match="step 3 of 12"):
        tune(problem, should_stop=lambda: next(answers))


@pytest.mark.parametrize("every", [1, 5])
def test_nan_is_an_error_that_says_what_to_do_and_when_it_began(problem, monkeypatch, every):
    # As on a GPU, where losses are read now and then.
    monkeypatch.setattr(Deferred, "__init__", partialmethod(Deferred.__init__, every=every))
    module, *_ = problem
    module.state_dict()["2.weight"].fill_(float("nan"))
    with pytest.raises(BadNumericsError, match=r"nan at tuning step 1; lower tune\.learning_rate"):
        tune(problem)
