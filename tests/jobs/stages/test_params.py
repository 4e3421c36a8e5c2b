"""What all parameters of stages have in common, on an example of each kind."""

import json
import typing
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace

import pytest
from plain_tasks import ENVIRONMENT, ORDERING
from pydantic import TypeAdapter

from jobs.spec.attack import AttackSpec, FgsmAttack, PgdAttack
from jobs.spec.base import Record
from jobs.spec.data import NormalizeSpec
from jobs.spec.inputs import TensorSpec
from jobs.spec.integral import TuneSpec
from jobs.spec.measure import GateSpec, LatencySpec, QuantizeSpec
from jobs.spec.sparsity import SlimmingSpec, SoftFilterSpec
from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey, StageParams
from jobs.stages.channels import (
    AnalyseParams,
    Architecture,
    ChooseParams,
    ConvertParams,
    OrderParams,
    PermuteParams,
)
from jobs.stages.common import (
    CalibrationParams,
    DatasetParams,
    DesignInput,
    Folding,
    FollowedDesigns,
    PlannedAllocation,
    Removal,
    Resampling,
    WidthParams,
)
from jobs.stages.finishing import (
    ApplyParams,
    AttackParams,
    EvaluateParams,
    ExportParams,
    QuantizeParams,
    RecalibrateParams,
    RepairParams,
    TimedNetwork,
    TimeParams,
)
from jobs.stages.pruning import (
    ChannelPruning,
    ChannelRewinding,
    PruneParams,
    ReconstructParams,
    TuneParams,
    WeightPruning,
)
from jobs.stages.scoring import Observed, ObserveParams, ProfileParams, ScoreParams, SenseParams
from jobs.stages.table import StageKind, stage_of
from jobs.stages.training import (
    FurtherTraining,
    IntegralTraining,
    Leg,
    ModelWeights,
    RaceParams,
    ScratchBudget,
    ScratchTraining,
    SparseTraining,
    TrainParams,
)
from jobs.task import make_task

NETWORK, ANALYSIS = ArtifactKey("network"), ArtifactKey("analysis")
RECIPE = Recipe(epochs=8, milestones=(0.25, 0.5), begin=2, until=6)
DATA = DatasetParams(
    dataset="jobs.mine:load",
    source="s",
    arguments={"folds": [1, 2], "limit": None, "deep": {"none": None}},
    normalize=NormalizeSpec(mean=(0.5,), std=(0.25,)),
    fingerprint="d",
)
ARCHITECTURE = Architecture(network="resnet", arguments={"widths": [8, 12], "stem": None}, arguments_of="f")
IMAGES = CalibrationParams(data=DATA, num_images=64)
REMOVAL = Removal(scores=ArtifactKey("scores"))
RESAMPLING = Resampling(partition="adaptive", quadrature="product")
DESIGNS = FollowedDesigns(
    designs=(
        DesignInput(network=ArtifactKey("design0"), channels=ArtifactKey("channels0")),
        DesignInput(network=ArtifactKey("design1"), channels=ArtifactKey("channels1")),
    )
)
ALLOCATIONS = [
    TypeAdapter(PlannedAllocation).validate_json(json.dumps(given))
    for given in (
        {"kind": "uniform"},
        {"kind": "least-error"},
        {"kind": "global", "floor": 0.2},
        {"kind": "isomorphic"},
        {"kind": "sensitivity", "fractions": [0.5, 1]},
        {"kind": "spectrum"},
        {"kind": "predefined", "widths": {"conv1": 3}, "compression": 0.2},
        {"kind": "template", "fractions": [0.5, 1.0]},
        {"kind": "best-score", "latency": 0.5},
        {"kind": "own", "choose": "jobs.mine:choose", "needs": ["losses"], "arguments": {"power": None}},
    )
]


def widths(allocation=DESIGNS, **more):
    return WidthParams(allocation=allocation, compression=0.4, target="macs", **more)


ALL_WIDTHS = widths(
    losses=ArtifactKey("losses"),
    profile=ArtifactKey("profile"),
    memory_batch_size=4,
    source="s",
    ortools="9",
    multiple=8,
)
PROCEDURES = [
    ModelWeights(network="resnet", arguments={"widths": [8, 12], "stem": None}, recipe=RECIPE),
    ModelWeights(network="jobs.mine:net", source="s", weights="f"),
    IntegralTraining(network=NETWORK, recipe=RECIPE, smallest=0.5),
    FurtherTraining(network=NETWORK, recipe=RECIPE),
    FurtherTraining(
        network=NETWORK, recipe=RECIPE, leg=Leg(until=0.3, start=ArtifactKey("before"), race=ArtifactKey("race"))
    ),
    ScratchTraining(network=NETWORK, dense=ArtifactKey("dense"), recipe=RECIPE, budget=ScratchBudget(cap=2.0)),
    SparseTraining(
        network=NETWORK, analysis=ANALYSIS, recipe=RECIPE, sparsify=SlimmingSpec(kind="slimming", strength=0.01)
    ),
    SparseTraining(
        network=NETWORK, analysis=ANALYSIS, recipe=RECIPE, sparsify=SoftFilterSpec(kind="soft-filter"), compression=0.4
    ),
]
PRUNINGS = [
    ChannelPruning(network=NETWORK, widths=ALL_WIDTHS, how=REMOVAL),
    ChannelPruning(network=NETWORK, widths=widths(), how=RESAMPLING, tuned=ArtifactKey("tuned")),
    ChannelPruning(network=NETWORK, widths=widths(), how=Folding(clustering="kmeans", slices="incoming")),
    WeightPruning(network=NETWORK, rewound=ArtifactKey("rewound"), scope="layer", linear=True, compression=0.4),
    ChannelRewinding(network=NETWORK, channels=ArtifactKey("channels"), pruned=ArtifactKey("pruned")),
]
EXAMPLES: list[StageParams] = [
    *(TrainParams(procedure=procedure, data=DATA, seed=1) for procedure in PROCEDURES),
    RaceParams(entrants=((ArtifactKey("l1"), ArtifactKey("l1 again")), (ArtifactKey("fold"),)), keep=0.5),
    AnalyseParams(architecture=ARCHITECTURE, data=DATA, fold_batchnorm=True),
    AnalyseParams(
        architecture=Architecture(
            network="jobs.mine:around",
            source="s",
            inputs={"image": TensorSpec(shape=(3, 8, 8))},
            backbone=ARCHITECTURE,
        ),
        fold_batchnorm=False,
        parts=("backbone",),
    ),
    ConvertParams(network=NETWORK, analysis=ANALYSIS),
    OrderParams(network=NETWORK, groups=("stem", "body"), ordering=ORDERING, seed=1),
    PermuteParams(network=NETWORK, ordering=replace(ORDERING, pool=8)),
    ChooseParams(network=NETWORK, widths=widths(), choice="output", partition="uniform", images=IMAGES, seed=1),
    ObserveParams(network=NETWORK, observation="ranks", images=IMAGES, batch_size=8, seed=1),
    ScoreParams(
        network=NETWORK,
        criterion="jobs.mine:worth",
        source="s",
        observed=Observed(observation="ranks", artifact=ArtifactKey("seen")),
    ),
    SenseParams(network=NETWORK, how=REMOVAL, fractions=(0.25, 0.5), images=IMAGES, batch_size=8),
    SenseParams(network=NETWORK, how=RESAMPLING, fractions=(0.5,), images=IMAGES, batch_size=8),
    ProfileParams(network=NETWORK, batch_size=4),
    ProfileParams(network=NETWORK, batch_size=4, runtime="onnxruntime", threads=1, onnx="1"),
    TuneParams(network=NETWORK, widths=widths(), how=RESAMPLING, tune=TuneSpec(steps=5), data=DATA, seed=1),
    *(PruneParams(procedure=procedure) for procedure in PRUNINGS),
    *(
        ReconstructParams(network=NETWORK, widths=widths(each), how="lasso", images=IMAGES, batch_size=8)
        for each in ALLOCATIONS
    ),
    RecalibrateParams(network=NETWORK, images=CalibrationParams(data=DATA), batch_size=8, seed=1),
    RepairParams(network=NETWORK, dense=ArtifactKey("dense"), images=IMAGES, batch_size=8, seed=1),
    ApplyParams(
        network=NETWORK,
        protocol="jobs.mine:change",
        source="s",
        arguments={"rate": None, "steps": [1, {"none": None}]},
        needs=("dense", "labels"),
        dense=ArtifactKey("dense"),
        data=DATA,
    ),
    EvaluateParams(network=NETWORK, data=DATA, batch_size=8, measure=GateSpec(export=True)),
    ExportParams(network=NETWORK, onnx="1"),
    AttackParams(
        network=NETWORK,
        data=DATA,
        batch_size=8,
        attacks=AttackSpec(by={"fgsm": FgsmAttack(kind="fgsm", epsilon=8), "b": PgdAttack(kind="pgd", epsilon=2)}),
        seed=1,
    ),
    QuantizeParams(
        graph=ArtifactKey("graph"),
        quantization=QuantizeSpec(calibrate="entropy"),
        images=IMAGES,
        batch_size=8,
        onnx="1",
        seed=1,
    ),
    TimeParams(
        timed=TimedNetwork(network=NETWORK, graph=ArtifactKey("graph"), quantized=ArtifactKey("int8")),
        dense=TimedNetwork(network=ArtifactKey("dense"), graph=ArtifactKey("dense graph")),
        latency=LatencySpec(runtime=("onnxruntime", "eager"), batch_size=(1, 32), threads=2),
        onnx="1",
    ),
]


def id_of(params: StageParams) -> str:
    return type(params).__name__


@pytest.fixture(params=EXAMPLES, ids=id_of)
def params(request) -> StageParams:
    return request.param


def inputs(params: StageParams) -> dict[str, str]:
    return dict(make_task(params, environment=ENVIRONMENT).inputs)


def key(params: StageParams) -> str:
    return make_task(params, environment=ENVIRONMENT).key


def test_there_is_an_example_of_the_parameters_of_every_stage():
    assert {stage_of(params) for params in EXAMPLES} == set(StageKind)


def test_json_gives_the_same_record_with_the_same_key(params):
    again = type(params).from_document(json.loads(json.dumps(params.document())))
    assert again == params
    assert key(again) == key(params)
    assert inputs(again) == inputs(params)


def test_no_two_examples_have_one_key():
    assert len({key(params) for params in EXAMPLES}) == len(EXAMPLES)


def test_parameters_cannot_be_changed(params):
    with pytest.raises(FrozenInstanceError):
        params.seed = 7


def test_unknown_parameters_are_refused(params):
    with pytest.raises(TypeError, match="unheard_of"):
        replace(params, unheard_of=1)


def test_a_seed_is_part_of_the_key(params):
    assert key(params) != key(replace(params, seed=99))


def test_what_is_none_is_left_out_of_the_document(params):
    def nones(value: object, path: str = "") -> Iterator[str]:
        if value is None:
            yield path
        elif isinstance(value, dict):
            for name, each in value.items():
                yield from nones(each, f"{path}.{name}")

    assert all(".arguments." in path for path in nones(params.document()))


def test_what_is_none_in_the_users_own_arguments_stays():
    apply = next(each for each in EXAMPLES if isinstance(each, ApplyParams)).document()
    assert apply["arguments"] == {"rate": None, "steps": [1, {"none": None}]}
    assert apply["data"]["arguments"] == {"folds": [1, 2], "limit": None, "deep": {"none": None}}
    train = TrainParams(procedure=PROCEDURES[0], data=DATA).document()
    assert train["procedure"]["arguments"] == {"widths": [8, 12], "stem": None}
    own = ReconstructParams(network=NETWORK, widths=widths(ALLOCATIONS[-1]), how="lasso", images=IMAGES, batch_size=8)
    assert own.document()["widths"]["allocation"]["arguments"] == {"power": None}


def test_revised_are_trainings_of_given_weights_by_muon_and_those_that_shrink_units_in_place():
    def training(procedure, optimizer):
        recipe = RECIPE.model_copy(update={"optimizer": optimizer})
        return TrainParams(procedure=replace(procedure, recipe=recipe), data=DATA)

    revised = [[training(each, optimizer).revision for each in PROCEDURES[2:]] for optimizer in ("adamw", "muon")]
    assert revised == [[None] * 5 + [2], [None, 2, 2, 2, None, 2]]


def test_revised_among_calibration_passes_are_removals():
    def revision(observation):
        return ObserveParams(network=NETWORK, observation=observation, images=IMAGES, batch_size=8).revision

    assert [revision(each) for each in ("activations", "removals", "jobs.mine:look")] == [None, 2, None]


def test_revised_are_widths_that_one_multiple_moves_off_the_allocations_own_limits():
    def revision(kind, **changes):
        allocation = next(each for each in ALLOCATIONS if each.kind == kind)
        return replace(widths(allocation), **{"multiple": 4, "limits": None, "round": None, **changes}).revision

    assert [revision(kind) for kind in ("uniform", "global", "best-score")] == [None, 2, 2]
    assert revision("global", multiple=None) is None
    assert revision("best-score", multiple=None) == 2


def test_revised_is_pruning_that_matches_statistics():
    def revision(images):
        how = Removal(scores=ArtifactKey("scores"))
        procedure = ChannelPruning(network=NETWORK, widths=widths(ALLOCATIONS[0]), how=how, images=images)
        return PruneParams(procedure=procedure).revision

    assert (revision(None), revision(IMAGES)) == (None, 2)


def test_the_names_of_settings_are_no_part_of_the_document():
    named, written = Recipe(settings="cifar_short"), Recipe.of(Recipe(settings="cifar_short"))
    documents = [
        TrainParams(procedure=FurtherTraining(network=NETWORK, recipe=recipe), data=DATA).document()
        for recipe in (named, written)
    ]
    assert documents[0] == documents[1]
    assert "settings" not in documents[0]["procedure"]["recipe"]


def test_the_roles_of_inputs_are_the_dotted_names_of_their_fields():
    assert inputs(PruneParams(procedure=PRUNINGS[0])) == {
        "procedure.network": "network",
        "procedure.widths.allocation.designs.0.network": "design0",
        "procedure.widths.allocation.designs.0.channels": "channels0",
        "procedure.widths.allocation.designs.1.network": "design1",
        "procedure.widths.allocation.designs.1.channels": "channels1",
        "procedure.widths.losses": "losses",
        "procedure.widths.profile": "profile",
        "procedure.how.scores": "scores",
    }


def test_texts_that_look_like_keys_are_no_inputs():
    params = ScoreParams(network=NETWORK, criterion="ab" * 16, source="cd" * 16)
    assert inputs(params) == {"network": "network"}


def test_what_was_left_out_is_what_a_record_has_without_it():
    """A document leaves out what is None: no field may be None and have another default."""
    for record in records_within(*(stage.row.params for stage in StageKind)):
        for name, annotation, default in fields_of(record):
            if type(None) in typing.get_args(annotation):
                assert default is None, f"{record.__name__}.{name}"


def fields_of(record: type) -> list[tuple[str, object, object]]:
    """Name, type and default of the fields that a document has."""
    if is_dataclass(record):
        types = typing.get_type_hints(record)
        return [(field.name, types[field.name], field.default) for field in fields(record)]
    return [(name, field.annotation, field.default) for name, field in record.model_fields.items() if not field.exclude]


def records_within(*annotations: object) -> set[type]:
    """All records that types are made of."""
    found: set[type] = set()
    waiting = list(annotations)
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and (is_dataclass(each) or issubclass(each, Record)):
            if each not in found:
                found.add(each)
                waiting += [annotation for _, annotation, _ in fields_of(each)]
        else:
            waiting += typing.get_args(each)
    return found


def test_the_records_within_are_all_found():
    found = records_within(*(stage.row.params for stage in StageKind))
    assert {Recipe, WidthParams, DesignInput, SlimmingSpec, NormalizeSpec, LatencySpec} < found
