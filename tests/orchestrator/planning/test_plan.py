from collections import Counter
from dataclasses import replace

import pytest
from planned import ENVIRONMENT, back, by_stage, curve_of, line_of, stages_on_the_way, tasks_of

from jobs.errors import BadInputError, InvalidFileError
from jobs.load import load_sweep
from jobs.resources import Resources
from jobs.stages.table import StageKind
from jobs.stages.training import IntegralTraining, SparseTraining
from jobs.weights import CheckpointReading
from orchestrator.planning import plan_sweep


def test_equal_tasks_are_one(plan):
    # One network; converted unfolded for the criteria and folded for the integral methods, which share the
    # permutation; 4 methods x 2 compressions are pruned and evaluated, and the dense network is evaluated.
    expected = {"train": 1, "analyse": 2, "convert": 2, "score": 2, "permute": 1, "tune": 2, "prune": 8, "evaluate": 9}
    assert by_stage(plan()) == expected


def test_bicubic_enlargement_is_a_baseline_and_the_dense_network_the_control(tiny_sweep, write_sweep):
    data = {"dataset": "own_network:pairs", "fingerprint": "p"}
    objective = {"kind": "super-resolution", "scale": 2}
    sweep = {**tiny_sweep, "data": data, "objective": objective, "controls": True}
    curves = {curve.method: curve for curve in plan_sweep(load_sweep(write_sweep(sweep)), ENVIRONMENT).curves}
    assert [name for name, curve in curves.items() if curve.baseline] == ["bicubic"]
    assert [name for name, curve in curves.items() if curve.is_control] == ["dense"]


def test_what_is_asked_counts_shared_tasks_every_time(plan):
    asked = plan().asked
    assert (asked[StageKind.TRAIN], asked[StageKind.CONVERT], asked[StageKind.PERMUTE]) == (9, 8, 4)


def test_inputs_come_before_the_tasks_that_read_them(plan):
    seen: set[str] = set()
    for key, task in plan("seeds=[0,1]").tasks.items():
        assert set(task.inputs.values()) <= seen
        seen.add(key)


def test_a_second_compression_adds_only_what_is_new(plan):
    before, after = plan("compressions=[0.2]").tasks, plan("compressions=[0.2,0.4]").tasks
    assert before.keys() < after.keys()
    added = Counter(after[key].stage for key in after.keys() - before.keys())
    assert added == {StageKind.PRUNE: 4, StageKind.TUNE: 1, StageKind.EVALUATE: 4}


def test_a_seed_changes_what_draws_randomness(plan):
    # Trained anew per seed, everything after it is new too; the structure depends on no weights.
    shared = plan("seeds=[0]").tasks.keys() & plan("seeds=[1]").tasks.keys()
    assert {plan().tasks[key].stage for key in shared} == {StageKind.ANALYSE}


def test_with_a_checkpoint_seeds_share_what_draws_nothing(plan):
    override = ("models.net={network: resnet, weights: w.safetensors}", "seeds=[0,1]")
    counts = by_stage(plan(*override, environment=replace(ENVIRONMENT, weights={"net": "f"})))
    # l1 and the dense network draw nothing; random, the ordering and the tuning draw once per seed.
    assert (counts["train"], counts["convert"], counts["score"], counts["permute"]) == (1, 2, 1 + 2, 2)
    assert counts["evaluate"] == 1 + 2 + 3 * 2 * 2


def test_a_training_from_given_weights_is_one_for_each_seed_and_says_how_they_are_read(plan):
    model = "models.net={network: resnet, weights: w.pt, weights_key: ema, train: {epochs: 1}}"
    made = plan(model, "seeds=[0,1]", environment=replace(ENVIRONMENT, weights={"net": "f"}))
    trained = [task for task in made.tasks.values() if task.stage is StageKind.TRAIN]
    assert {task.params.seed for task in trained} == {0, 1}
    for task in trained:
        assert task.params.procedure.reading == CheckpointReading(key="ema")
        assert (task.params.procedure.weights, task.params.procedure.recipe.epochs) == ("f", 1)
        assert task.locations.weights.endswith("/w.pt")


def test_of_a_repository_the_commit_is_read_that_was_planned(plan, monkeypatch):
    monkeypatch.setattr("jobs.libraries.missing", lambda package: None)
    environment = replace(ENVIRONMENT, weights={"net": "hf://lab/net@abc"})
    made = plan("models.net={network: resnet, weights: 'hf://lab/net'}", environment=environment)
    (trained,) = (task for task in made.tasks.values() if task.stage is StageKind.TRAIN)
    assert trained.locations.weights == trained.params.procedure.weights == "hf://lab/net@abc"


def test_random_weights_in_the_place_of_published_ones_are_of_the_same_network(plan):
    overrides = (
        "models.net={network: 'torchvision:googlenet', weights: pretrained}",
        "methods={integral: {kind: integral, train: {epochs: 1, start: scratch}}}",
    )
    made = plan(*overrides, environment=replace(ENVIRONMENT, weights={"net": "set"}))
    procedures = [task.params.procedure for task in made.tasks.values() if task.stage is StageKind.TRAIN]
    (start,) = (each for each in procedures if each.kind == "model")
    assert (start.weights, start.arguments_of) == (None, "set")


def test_the_layout_of_a_checkpoint_is_in_no_key_unless_it_is_said(plan):
    environment = replace(ENVIRONMENT, weights={"net": "f"})
    made = plan("models.net={network: resnet, weights: w.pt}", environment=environment)
    (trained,) = (task for task in made.tasks.values() if task.stage is StageKind.TRAIN)
    assert trained.params.document()["procedure"].keys() == {"kind", "network", "arguments", "weights"}


@pytest.mark.parametrize(
    "other",
    [
        {"torch_version": "2.1"},
        {"data": "changed"},
        {"device": "cuda"},
    ],
)
def test_what_changes_numbers_from_outside_changes_every_result(plan, other):
    changed = plan(environment=replace(ENVIRONMENT, **other))
    assert not set(plan().targets) & set(changed.targets)


@pytest.mark.parametrize(
    "override",
    ["models.net.train.momentum=0.8", "models.net.arguments.widths=[8,16]", "data.normalize={mean: [0.5], std: [0.5]}"],
)
def test_a_changed_parameter_changes_every_result(plan, override):
    assert not set(plan().targets) & set(plan(override).targets)


@pytest.mark.parametrize("method", ["l1", "integral", "tuned"])
def test_another_allocation_makes_other_networks_from_the_same_scores_and_orders(plan, method):
    before, after = plan(), plan(f"methods.{method}.allocation=least-error")
    fresh = {after.tasks[key].stage for key in after.tasks.keys() - before.tasks.keys()}
    assert fresh == {StageKind.PRUNE, StageKind.EVALUATE} | ({StageKind.TUNE} if method == "tuned" else set())


def test_a_default_written_out_changes_nothing(plan):
    assert plan().tasks.keys() == plan("models.net.train.momentum=0.9").tasks.keys()


def test_a_licence_changes_nothing(plan):
    assert plan("models.net.licence=CC-BY-4.0").tasks == plan().tasks


def test_resources_and_places_change_nothing(plan):
    changed = plan("resources.train={num_cpus: 2}", "data.root=/elsewhere", "tracking=sqlite:///other.db")
    assert plan().tasks.keys() == changed.tasks.keys()


def test_on_cpu_nothing_asks_for_a_gpu(plan):
    assert all(task.resources.num_gpus == 0 for task in plan().tasks.values())


def test_on_cuda_the_accelerated_stages_ask_for_shares_of_gpus(plan):
    made = plan(environment=replace(ENVIRONMENT, device="cuda"))
    asked = {task.stage.value: task.resources.num_gpus for task in made.tasks.values()}
    shares = {"train": 1, "tune": 0.25, "evaluate": 0.25}
    assert asked == {**shares, "analyse": 0, "convert": 0, "score": 0, "permute": 0, "prune": 0}


def test_what_a_stage_is_said_to_ask_for_goes_before_its_default(plan):
    cuda = replace(ENVIRONMENT, device="cuda")
    made = plan("resources.tune={num_gpus: 0.5, num_cpus: 3}", environment=cuda)
    (asked,) = {task.resources for task in tasks_of(made, StageKind.TUNE)}
    assert asked == Resources(num_cpus=3.0, num_gpus=0.5)  # and what has been learnt changes it no more
    assert made.resources[StageKind.TUNE] == asked


@pytest.mark.parametrize(
    ("asked", "device", "gpus"),
    [("{num_gpus: 2}", "cuda", 2), ("{processes: 2}", "cuda", 2), ("{processes: 2}", "cpu", 0)],
)
def test_several_processes_train_and_the_keys_are_those_of_one(plan, asked, device, gpus):
    environment = replace(ENVIRONMENT, device=device)
    made = plan(f"resources.train={asked}", environment=environment)
    (train,) = {task.resources for task in tasks_of(made, StageKind.TRAIN)}
    assert (train.processes, train.num_gpus) == (2, gpus)
    assert {task.resources.processes for task in made.tasks.values()} == {1, 2}
    assert made.tasks.keys() == plan(environment=environment).tasks.keys()


def test_tasks_that_may_appear_are_requested_too(plan):
    order = (StageKind.ORDER, Resources(num_cpus=64.0))
    found = plan("resources.order={num_cpus: 64}")
    assert order in found.requests(found.tasks.values())
    assert order not in found.requests(tasks_of(found, StageKind.TRAIN))
    without = plan("resources.order={num_cpus: 64}", "methods={l1: {kind: criterion, criterion: l1}}")
    requests = without.requests(without.tasks.values())
    assert {stage for stage, _ in requests} == {task.stage for task in without.tasks.values()}


def test_a_curve_names_its_points(plan):
    curves = plan("seeds=[0,1]").curves
    assert len(curves) == 5 * 2
    tuned = next(curve for curve in curves if curve.method == "tuned")
    assert (tuned.protocol, [point.compression for point in tuned.points]) == ("none", [0.2, 0.4])


def test_an_integral_network_is_trained_between_order_and_sampling(plan):
    made = plan("methods.integral.train={epochs: 2}", "methods.tuned.train={epochs: 2}")
    line = stages_on_the_way(made, curve_of(made, "integral").points[0].key)
    assert line == [
        "evaluate",
        "prune",
        "train",
        "permute",
        "convert",
        "train",
    ]
    (trained,) = (task for task in tasks_of(made, StageKind.TRAIN) if task.inputs)  # one per model and seed
    assert isinstance(trained.params.procedure, IntegralTraining)
    assert (trained.params.procedure.recipe.epochs, trained.params.procedure.smallest) == (2, 0.5)


def test_from_scratch_it_starts_from_the_untrained_network_in_any_order(plan):
    made = plan("methods.integral.train={epochs: 2, start: scratch}")
    *_, permuted, converted, start = line_of(made, curve_of(made, "integral").points[0].key)
    assert permuted.params.ordering.method == "identity"
    assert not made.tasks[converted.params.analysis].params.fold_batchnorm
    assert (start.params.procedure.recipe, start.params.procedure.weights) == (None, None)


@pytest.mark.parametrize("method", ["l1", "integral"])
def test_recalibration_stands_between_pruning_and_evaluation(plan, method):
    made = plan(
        "protocols.fresh={kind: recalibrate, images: 64}",
        f"methods.{method}.protocols=[fresh]",
        "methods.integral.batchnorm=keep",
    )
    curve = next(curve for curve in made.curves if curve.method == method)
    assert stages_on_the_way(made, curve.points[0].key)[:3] == ["evaluate", "recalibrate", "prune"]
    assert curve.protocol == "fresh"


def test_each_protocol_of_a_method_is_a_curve_of_its_own_on_the_same_pruned_networks(plan):
    made = plan("protocols.fresh={kind: recalibrate}", "methods.l1.protocols=[none, fresh]")
    curves = {curve.protocol: curve for curve in made.curves if curve.method == "l1"}
    assert [curve.label for curve in curves.values()] == ["net/l1/seed0", "net/l1/fresh/seed0"]
    plain, fresh = (made.tasks[curves[protocol].points[0].key] for protocol in ("none", "fresh"))
    assert back(made, fresh).params.network == plain.params.network


def test_a_method_can_be_for_some_models_only(plan):
    other = "models.other={network: plain, arguments: {widths: [8], in_channels: 1}, train: {epochs: 1}}"
    curves = plan(other, "methods.l1.models=[other]").curves
    assert {curve.model for curve in curves if curve.method == "l1"} == {"other"}
    assert {curve.model for curve in curves if curve.method == "random"} == {"net", "other"}


def test_a_reconstruction_has_no_scores_for_an_allocation(plan):
    with pytest.raises(InvalidFileError, match="needs scores, and a reconstruction measures none before it prunes"):
        plan("methods.thinet={kind: reconstruction, how: thinet, allocation: global}")


def test_folded_batch_norms_cannot_be_recalibrated(plan):
    with pytest.raises(InvalidFileError, match=r"method integral .*: it recalibrates batch norms that are folded away"):
        plan("protocols.fresh={kind: recalibrate}", "methods.integral.protocols=[fresh]")


def test_the_split_is_part_of_the_evaluation_alone(plan):
    on_test, on_validation = plan(), plan("data.split=validation")
    assert plan("data.split=test").tasks.keys() == on_test.tasks.keys()
    changed = {on_validation.tasks[key].stage for key in on_validation.tasks.keys() - on_test.tasks.keys()}
    assert changed == {StageKind.EVALUATE}


def test_the_number_of_test_images_leaves_the_validation_split_whole(plan):
    (task, *_) = tasks_of(plan("data.split=validation", "data.test_images=10"), StageKind.EVALUATE)
    assert (task.params.split, task.params.num_images) == ("validation", None)
    (task, *_) = tasks_of(plan("data.test_images=10"), StageKind.EVALUATE)
    assert (task.params.split, task.params.num_images) == ("test", 10)


def test_quantised_networks_are_evaluated_on_test_only(plan):
    with pytest.raises(InvalidFileError, match=r"data.split is validation; remove one of them"):
        plan("data.split=validation", "measure.quantize=[int8]")


def test_prunable_parts_go_where_groups_are_found_and_change_nothing_before(plan):
    sparse = "methods.slim={kind: criterion, criterion: l1, sparsify: {kind: soft-filter, train: {epochs: 1}}}"
    whole, parts = plan(sparse), plan(sparse, "models.net.prunable=[backbone, roi_heads.box_head]")
    named = ("backbone", "roi_heads.box_head")
    assert {task.params.parts for task in tasks_of(parts, StageKind.ANALYSE)} == {named}
    trained = [task.params.procedure for task in tasks_of(parts, StageKind.TRAIN)]
    analyses = {each.analysis for each in trained if isinstance(each, SparseTraining)}
    assert {parts.tasks[key].params.parts for key in analyses} == {named}
    assert {task.key for task in tasks_of(whole, StageKind.TRAIN)} & parts.tasks.keys()
    assert not {task.key for task in tasks_of(whole, StageKind.CONVERT)} & parts.tasks.keys()
    assert all("parts" not in task.params.document() for task in tasks_of(whole, StageKind.ANALYSE))


def test_a_list_without_parts_is_refused(plan):
    with pytest.raises(InvalidFileError, match="prunable"):
        plan("models.net.prunable=[]")


def test_float16_is_refused_where_tasks_run_on_cpus(plan):
    asked = ("measure.precision=float16", "models.net.train.precision=float16")
    with pytest.raises(BadInputError, match=r"models.net.train.precision, measure.precision: float16 is for GPUs"):
        plan(*asked)
    assert plan(*asked, environment=replace(ENVIRONMENT, device="cuda")).tasks
