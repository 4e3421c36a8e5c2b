"""What an experiment's page says of a sweep: saved views as MLflow's own page writes them, and a description."""

import json
import zlib
from base64 import b64decode
from dataclasses import replace

from mlflow import MlflowClient
from tracked_curves import log, make_curve, make_record

from jobs.metric import Metric
from orchestrator.tracking.experiment import describe
from orchestrator.tracking.means import REACHED, mean_curves
from orchestrator.tracking.views import VIEW_TAG, state_of, view_tags, views_of

NOTE = "mlflow.note.content"


def means_of(*curves):
    return mean_curves(make_record(*curves), curves)


def tags_of(uri: str) -> dict[str, str]:
    return MlflowClient(uri).get_experiment_by_name("quick").tags


def test_a_view_is_kept_as_mlflows_page_keeps_it():
    means = means_of(make_curve())
    tags = view_tags(means, 1000)
    assert list(tags) == [f"{VIEW_TAG}orchard-compression", f"{VIEW_TAG}orchard-macs"]
    kept = json.loads(tags[f"{VIEW_TAG}orchard-compression"])
    assert (kept["name"], kept["createdAt"]) == ("accuracy against compression", 1002)  # the latest is listed first
    form, _, packed = kept["state"].partition(";")
    assert form == "deflate"
    assert json.loads(zlib.decompress(b64decode(packed))) == state_of(views_of(means)[0], means)
    assert max(map(len, tags.values())) < 5000  # what servers before 3.17 take for a tag


def test_the_first_view_draws_all_curves_over_the_compression_reached():
    means = means_of(make_curve())
    state = state_of(views_of(means)[0], means)
    (chart,) = state["compareRunCharts"]
    assert (chart["metricKey"], chart["xAxisKey"], chart["selectedXAxisMetricKey"]) == ("accuracy", "metric", REACHED)
    assert state["runsHiddenMode"] == "SHOW_ALL"
    assert [section["display"] for section in state["compareRunSections"]] == [True, False]


def test_every_primary_metric_has_a_chart():
    other = make_curve("l2")
    psnr = Metric(name="psnr_db", label="PSNR", direction="higher", unit="dB")
    points = tuple(replace(each, objective=(psnr,), metrics={**each.metrics, "psnr_db": 30.0}) for each in other.points)
    means = means_of(make_curve(), replace(other, points=points))
    view = views_of(means)[0]
    assert view.name == "quality against compression"
    assert [chart["metricKey"] for chart in state_of(view, means)["compareRunCharts"]] == ["accuracy", "psnr_db"]


def test_a_sweep_that_measured_nothing_has_no_views_and_its_address_names_none(uri):
    tracked = log(uri, make_curve(measured=()))
    assert tracked.address.endswith("/runs?compareRunsMode=CHART")
    assert not [name for name in tags_of(uri) if name.startswith(VIEW_TAG)]


def test_the_description_has_links_and_a_users_own_stays(uri):
    tracked = log(uri, make_curve())
    note = tags_of(uri)[NOTE]
    assert f"(#/experiments/{tracked.experiment_id}/runs/{tracked.sweep_run_id}/artifacts)" in note
    assert "viewStateShareKey=orchard-macs" in note
    log(uri, make_curve(), make_curve("l2"))
    assert "`l1`, `l2`" in tags_of(uri)[NOTE]
    MlflowClient(uri).set_experiment_tag(tracked.experiment_id, NOTE, "mine")
    log(uri, make_curve())
    assert tags_of(uri)[NOTE] == "mine"


def test_a_description_of_many_models_is_short_enough_for_mlflow(uri):
    curve = make_curve()
    many = [replace(curve, plan=replace(curve.plan, model=f"{number}-{'m' * 70}")) for number in range(300)]
    note = describe(make_record(*many), means_of(*many), "1", "0" * 32)
    assert " and 288 more on `digits`; methods `l1`;" in note
    assert len(note) < 5000
