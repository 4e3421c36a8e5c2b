from dataclasses import replace

import pytest
from chosen_networks import ACCURACY, PSNR, RMSE, made_curve

from jobs.artifact import Manifest
from jobs.errors import BadInputError
from orchestrator.planning import PlannedCurve, PlannedPoint
from orchestrator.results import EARLIER, METRICS, SweepRecord, by_objective, collect, point_of, variant_keys
from orchestrator.store import ArtifactStore, open_store
from workers.objectives.classification import objective

CLASSIFICATION = objective()

MEASURED = {
    "accuracy": 0.9,
    "accuracy_best": 0.91,
    "loss": 0.3,
    "compression": 0.199,
    "compression_ratio": 1 / 0.801,
    "speedup": 1.2,
    "params": 80,
    "macs": 900,
    "size_bytes": 320,
    "peak_memory_bytes": 400,
    "training_epochs": 2,
    "training_macs": 5400,
    "num_samples": 10,
    "note": "",
}


def manifest(key: str, **changes) -> Manifest:
    measurements = {**MEASURED, **changes}
    return Manifest(key=key, stage="evaluate", identity={}, measurements=measurements, created_s=5.0, duration_s=2.0)


def curve(*points: tuple[float, str]) -> PlannedCurve:
    planned = tuple(PlannedPoint(compression=compression, key=key) for compression, key in points)
    return PlannedCurve(model="net", dataset="digits", method="l1", protocol="none", seed=0, points=planned)


def test_a_point_has_every_metric_and_no_other():
    assert point_of(0.2, manifest("aa")).metrics.keys() == set(METRICS)


def test_a_point_has_what_was_timed_too():
    timed = replace(manifest("aa"), timings={"latency_p50_s": 0.25, "features.0": 3.0})
    assert point_of(0.2, timed).metrics.keys() == {*METRICS, "latency_p50_s"}


def further(key: str, stage: str, timings=(), **measurements) -> Manifest:
    return Manifest(key=key, stage=stage, identity={}, measurements=measurements, timings=dict(timings), created_s=7.0)


def test_a_point_has_what_further_tasks_measured_of_its_variants():
    timed = further("t", "time", {"latency_p50_s/eager/b1": 0.5}, variants=["eager/b1"])
    int8 = further("q", "quantize", **{"accuracy/int8": 0.8})
    point = point_of(0.2, manifest("aa"), [int8, timed])
    assert [(each.stage, each.key, each.created_s) for each in point.further] == [
        ("quantize", "q", 7),
        ("time", "t", 7),
    ]
    assert point.metrics.keys() == set(METRICS)
    assert point.all_metrics == {**point.metrics, "accuracy/int8": 0.8, "latency_p50_s/eager/b1": 0.5}
    assert point.keys == ("aa", "q", "t")


def test_no_number_takes_the_place_of_another_of_its_name():
    int8, attack = (further(stage[0], stage, **{"accuracy/int8": 0.8}) for stage in ("quantize", "attack"))
    with pytest.raises(BadInputError, match="accuracy/int8 is measured by quantize and by attack"):
        point_of(0.2, manifest("aa"), [int8, attack])
    sets = manifest("aa", test_sets=["a"], **{"accuracy/a": 0.8})
    with pytest.raises(BadInputError, match="by evaluate and by attack"):
        point_of(0.2, sets, [further("q", "attack", **{"accuracy/a": 0.0})])


def test_what_is_measured_further_comes_as_it_is_there(store):
    planned = PlannedPoint(compression=0.2, key="aa", further=(("quantize", "q"), ("time", "t")))
    plan = replace(curve(), points=(planned,))
    record, known = SweepRecord(name="s", spec={}, curves=(plan,)), {}

    def collected():
        (found,) = collect(record, store, known)
        return [each.key for point in found.points for each in point.further], found.complete

    store.commit(further("t", "time"), {})
    assert collect(record, store, known)[0].points == ()  # a point is there with its metrics
    store.commit(manifest("aa"), {})
    assert collected() == (["t"], False)
    store.commit(further("q", "quantize"), {})
    assert collected() == (["q", "t"], True)


def test_a_point_of_an_earlier_version_has_what_it_measured():
    earlier = {name: value for name, value in MEASURED.items() if name != "speedup"}
    metrics = point_of(0.2, replace(manifest("aa"), measurements=earlier)).metrics
    assert metrics.keys() == set(METRICS) - {"speedup"}


def test_a_point_that_does_not_say_what_it_is_of_is_of_classification():
    point = point_of(0.2, manifest("aa"))
    assert (point.objective, point.value) == ((CLASSIFICATION.primary,), 0.9) == (EARLIER, 0.9)


def test_a_point_says_what_it_is_of():
    metrics = [
        {"name": "rmse", "label": "RMSE", "direction": "lower"},
        {"name": "psnr", "label": "PSNR", "direction": "higher", "unit": "dB"},
    ]
    point = point_of(0.2, manifest("aa", metrics=metrics, rmse=0.25, rmse_best=0.2, rmse_ema=0.1, psnr=12.0))
    assert [metric.name for metric in point.objective] == ["rmse", "psnr"]
    assert (point.primary.direction, point.value) == ("lower", 0.25)
    assert list(point.metrics)[:4] == ["rmse", "rmse_best", "psnr", "loss"]
    assert point.metrics["rmse_ema"] == 0.1
    assert "accuracy" not in point.metrics


def test_named_test_sets_come_in_the_order_of_the_data_and_last(store):
    # A manifest's names are sorted in the store.
    sets = {"accuracy/set5": 0.9, "accuracy/b100": 0.7, "test_sets": ["set5", "b100"]}
    store.commit(manifest("ab" * 16, **sets), {})
    curves = collect(SweepRecord(name="s", spec={}, curves=(curve((0.2, "ab" * 16)),)), store)
    assert list(curves[0].points[0].metrics)[-2:] == ["accuracy/set5", "accuracy/b100"]
    assert variant_keys(curves) == ("accuracy/set5", "accuracy/b100")


def test_curves_of_different_metrics_stand_apart_and_one_without_points_where_its_model_is():
    accurate, other = made_curve("l1", {0.2: 0.9}), made_curve("l1", {0.2: 28.0}, model="sr", metric=PSNR)
    unmeasured = [made_curve("l2", {}, planned=(0.2,), model=model) for model in ("sr", "new")]
    found = by_objective([accurate, other, *unmeasured])
    assert found == {(ACCURACY,): (accurate, unmeasured[1]), (PSNR,): (other, unmeasured[0])}
    assert by_objective([]) == {EARLIER: ()}


def test_points_of_an_earlier_version_may_lack_some_of_the_metrics():
    earlier, now = made_curve("l1", {0.2: 0.9}), made_curve("l2", {0.2: 0.9})
    points = tuple(replace(point, objective=(ACCURACY, RMSE)) for point in now.points)
    assert list(by_objective([earlier, replace(now, points=points)])) == [(ACCURACY, RMSE)]


def test_a_points_step_is_the_asked_compression_in_percent():
    # 0.29 * 100 is 28.999999999999996 in floating point.
    assert point_of(0.29, manifest("aa")).step == 29


def test_a_points_note_is_the_reason_that_was_measured():
    assert point_of(0.2, manifest("aa", note="asked 20 %, reached 12 %")).note == "asked 20 %, reached 12 %"


def test_a_record_comes_back_from_json():
    record = SweepRecord(name="s", spec={"name": "s"}, curves=(curve((0.2, "aa"), (0.4, "bb")),), git_commit="c")
    assert SweepRecord.from_json(record.to_json()) == record


def test_the_data_of_a_curve_are_those_of_its_transfer_or_model_before_the_sweeps():
    models = {"net": {"data": None}, "own": {"data": "own"}, "moved": {"transfer": {"protocol": "to-scenes"}}}
    spec = {"data": "sweep", "models": models, "protocols": {"to-scenes": {"data": "scenes"}}}
    record = SweepRecord(name="s", spec=spec, curves=())
    curves = [replace(curve(), model=name) for name in models]
    assert [record.data_of(each) for each in curves] == ["sweep", "own", "scenes"]
    assert record.data_of(replace(curves[0], protocol="to-scenes", control="to-scenes")) == "scenes"


def test_a_record_of_version_0_1_is_read_without_what_its_plan_depended_on():
    record = SweepRecord(name="s", spec={"name": "s"}, curves=(curve((0.2, "aa")),))
    value = {name: each for name, each in record.to_json().items() if name != "environment"}
    assert SweepRecord.from_json({**value, "surroundings": {"torch_version": "2"}}) == record


@pytest.fixture
def store(tmp_path) -> ArtifactStore:
    store = open_store(tmp_path)
    for key in ("aa" * 16, "bb" * 16):
        store.commit(manifest(key), {})
    return store


def test_curves_are_collected_by_rising_compression(store):
    record = SweepRecord(name="s", spec={}, curves=(curve((0.4, "bb" * 16), (0.2, "aa" * 16)),))
    (collected,) = collect(record, store)
    assert [point.asked for point in collected.points] == [0.2, 0.4]


def test_a_point_that_is_not_measured_yet_is_absent(store):
    record = SweepRecord(name="s", spec={}, curves=(curve((0.2, "aa" * 16), (0.4, "cc" * 16)),))
    assert [point.asked for point in collect(record, store)[0].points] == [0.2]


def test_a_damaged_result_is_absent_and_told(store, tmp_path, caplog):
    damaged = "aa" * 16
    (tmp_path / "manifests" / "aa" / f"{damaged}.json").write_text("not what was written")
    record = SweepRecord(name="s", spec={}, curves=(curve((0.2, damaged), (0.4, "bb" * 16)),))
    assert [point.asked for point in collect(record, store)[0].points] == [0.4]
    assert "1 damaged results" in caplog.text


def test_a_point_that_is_known_is_not_read_again(store):
    record, known = SweepRecord(name="s", spec={}, curves=(curve((0.2, "aa" * 16)),)), {}
    first = collect(record, store, known)
    store.files.delete(f"manifests/aa/{'aa' * 16}.json")
    assert collect(record, store, known) == first


def test_what_is_kept_stays_in_the_order_of_the_forward_pass(store):
    full = [["features.0", 8], ["features.4", 12], ["features.12", 16]]
    widths = {"features.12": 9, "features.0": 2, "features.4": 3}
    store.commit(manifest("ef" * 16, widths=widths, full_widths=full, weights={}, full_weights=[]), {})
    ((point,),) = (
        each.points for each in collect(SweepRecord(name="s", spec={}, curves=(curve((0.2, "ef" * 16)),)), store)
    )
    assert point.kept.keys() == {"channels"}
    assert list(point.kept["channels"].left.items()) == [("features.0", 2), ("features.4", 3), ("features.12", 9)]
    assert list(point.kept["channels"].full.items()) == [tuple(pair) for pair in full]


def test_earlier_records_say_by_their_methods_which_curves_are_dense():
    plan = replace(curve((0.0, "aa")), method="original", dense=True)
    methods = {"original": {"kind": "dense"}, "l1": {"kind": "criterion"}}
    stored = SweepRecord(name="s", spec={"methods": methods}, curves=(plan, curve((0.0, "bb")))).to_json()
    for each in stored["curves"]:
        del each["dense"]
    assert [each.is_control for each in SweepRecord.from_json(stored).curves] == [True, False]


def test_the_split_of_curves_is_that_of_their_data():
    models = {"net": {}, "own": {"data": {"split": "validation"}}}
    record = SweepRecord(name="s", spec={"data": {"split": "test"}, "models": models}, curves=())
    own = replace(curve((0.0, "aa")), model="own")
    assert record.split_of([own]) == "validation"
    assert record.split_of([curve((0.0, "aa")), own]) == "test and validation"
