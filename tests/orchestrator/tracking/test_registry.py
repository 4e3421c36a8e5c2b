"""Networks in MLflow's model registry: on SQLite, on a real server, and behind MLflow's own scoring server."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.models import Model
from servers import mlflow_server, served_model
from torch import nn
from tracked_curves import log, make_curve, runs_of
from without_orchard import run_without_orchard

from jobs.errors import BadInputError, BadNetworkError
from orchestrator.tracking import TrackingUnavailableError
from orchestrator.tracking.address import as_default
from orchestrator.tracking.registry import Entry, ModelName, is_logged, register

SMALL = ModelName(name="small")
CHAMPION = ModelName(name="small", alias="champion")
CURVE = make_curve()


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def network(seed=0) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    return nn.Sequential(*layers).eval()


def entry(module=None, *, step=0, digest="d", card="# A card") -> Entry:
    """The network of a point of the one curve; `step` is its place on it."""
    return Entry(
        sweep="quick",
        store_id=None,
        curve=CURVE.plan,
        point=replace(CURVE.points[step], digest=digest),
        module=module or network(),
        input_shape=(1, 8, 8),
        card=card,
    )


@pytest.fixture
def logged(uri) -> str:
    """A database that has the curve."""
    log(uri, CURVE, ended=True)
    return uri


def versions(uri: str) -> dict[str, object]:
    return {str(each.version): each for each in MlflowClient(uri).search_model_versions("name = 'small'")}


def aliased(uri: str) -> str:
    """The number of the version that is the champion."""
    return str(MlflowClient(uri).get_model_version_by_alias("small", "champion").version)


def downloaded(uri: str, model_uri: str) -> Path:
    with as_default(uri):
        return Path(download_artifacts(model_uri))


def logged_models(uri: str) -> list[object]:
    client = MlflowClient(uri)
    return client.search_logged_models([client.get_experiment_by_name("quick").experiment_id])


class TestVersion:
    def test_says_what_it_is_and_where_it_comes_from(self, logged):
        made = register(entry(), CHAMPION, tracking_uri=logged)
        (run,) = runs_of(logged)
        version = MlflowClient(logged).get_model_version_by_alias("small", "champion")
        assert (made.created, made.version, made.moved_from) == (True, "1", None)
        assert made.address == "http://127.0.0.1:5000/#/models/small/versions/1"
        assert version.description == "# A card"
        assert version.run_id == run.info.run_id
        assert version.tags == {
            "orchard.sweep": "quick",
            "orchard.curve": "net/digits/l1/none/0",
            "orchard.point": CURVE.points[0].key,
            "orchard.digest": "d",
            "orchard.compression": "0.2",
            "orchard.accuracy": "0.8",  # `make_curve` takes 1 - compression
        }

    def test_its_run_stays_as_it_is_and_names_the_model(self, logged):
        (before,) = runs_of(logged)
        register(entry(), SMALL, tracking_uri=logged)
        (run,) = runs_of(logged)
        assert run.info.status == before.info.status == "FINISHED"
        assert run.data.to_dictionary() == before.data.to_dictionary()
        assert len(MlflowClient(logged).get_metric_history(run.info.run_id, "accuracy")) == 2  # one row a point
        (model,) = logged_models(logged)
        assert [each.model_id for each in run.outputs.model_outputs] == [model.model_id]
        assert {each.key: each.value for each in model.metrics}[
            "accuracy"
        ] == 0.8  # of its point, not of the curve's end

    def test_needs_no_orchard_and_takes_any_number_of_images(self, logged):
        made = register(entry(), SMALL, tracking_uri=logged)
        folder = downloaded(logged, made.uri)
        signature = Model.load(folder).signature
        assert [signature.inputs.inputs[0].shape, signature.outputs.inputs[0].shape] == [(-1, 1, 8, 8), (-1, 3)]
        assert signature.inputs.inputs[0].type == np.dtype("float32")
        assert {line.partition("==")[0] for line in (folder / "requirements.txt").read_text().split()} == {
            "mlflow",
            "torch",
        }
        example = np.array(json.loads((folder / "input_example.json").read_text()))
        assert example.shape == (2, 1, 8, 8)
        assert len(np.unique(example)) == 8  # eighths, not zeros

    def test_names_no_source_file_of_this_machine(self, logged):
        made = register(entry(), SMALL, tracking_uri=logged)
        with ZipFile(downloaded(logged, made.uri) / "data" / "model.pt2") as graph:
            assert [name for name in graph.namelist() if b".py" in graph.read(name)] == []

    def test_a_long_card_is_shortened_and_kept_whole_beside_the_network(self, logged):
        card = "# A card\n\n```yaml\n" + "line\n" * 2000 + "```\n"  # MLflow's databases have room for 5,000 characters
        made = register(entry(card=card), SMALL, tracking_uri=logged)
        shown = versions(logged)["1"].description
        assert 4980 < len(shown) <= 5000
        assert shown.count("line\n```\n") == 1  # the code ends with a whole line
        assert shown.endswith("(shortened; the whole card is the file `extra_files/README.md` of the version)")
        assert (downloaded(logged, made.uri) / "extra_files" / "README.md").read_text() == card


class TestRegisteringAgain:
    def test_makes_no_second_version_but_sets_the_alias(self, logged):
        first = register(entry(), SMALL, tracking_uri=logged)
        second = register(entry(), CHAMPION, tracking_uri=logged)
        assert (second.version, second.created) == (first.version, False)
        assert set(versions(logged)) == {"1"}
        assert len(logged_models(logged)) == 1
        assert aliased(logged) == "1"

    def test_another_network_is_a_version_more_and_takes_the_alias(self, logged):
        register(entry(), CHAMPION, tracking_uri=logged)
        made = register(entry(network(1), step=1), CHAMPION, tracking_uri=logged)
        assert (made.version, made.created, made.moved_from) == ("2", True, "1")
        assert aliased(logged) == "2"
        back = register(entry(), CHAMPION, tracking_uri=logged)
        assert (back.version, back.created, back.moved_from) == ("1", False, "2")

    def test_other_weights_of_the_same_point_are_a_version_more(self, logged):
        register(entry(digest="d"), SMALL, tracking_uri=logged)
        assert register(entry(network(1), digest="e"), SMALL, tracking_uri=logged).version == "2"

    def test_under_another_name_it_is_a_model_of_its_own(self, logged):
        register(entry(), SMALL, tracking_uri=logged)
        made = register(entry(), ModelName(name="another one"), tracking_uri=logged)
        assert (made.version, made.created, made.uri) == ("1", True, "models:/another one/1")
        assert made.address.endswith("/#/models/another%20one/versions/1")


class TestRefused:
    def test_a_point_that_is_not_logged(self, uri):
        log(uri, make_curve(measured=(0.2,)), ended=True)
        assert is_logged("quick", None, CURVE.plan, CURVE.points[0], tracking_uri=uri)
        assert not is_logged("quick", None, CURVE.plan, CURVE.points[1], tracking_uri=uri)
        with pytest.raises(BadInputError, match="orchard sync"):
            register(entry(step=1), SMALL, tracking_uri=uri)

    def test_a_sweep_that_is_not_logged(self, uri):
        assert not is_logged("quick", None, CURVE.plan, CURVE.points[0], tracking_uri=uri)

    @pytest.mark.parametrize(
        ("module", "message"),
        [
            pytest.param("Untraceable", "torch.export cannot express the network", id="a decision by values"),
            pytest.param("Counting", "does not run with a batch of 3", id="another function for two images"),
            pytest.param("Random", "differ by", id="outputs that are random"),
            pytest.param("Several", "output is a tuple", id="two outputs"),
        ],
    )
    def test_a_network_that_its_copy_cannot_replace_and_nothing_is_left_of_it(self, logged, module, message):
        with pytest.raises(BadNetworkError, match=message):
            register(entry(globals()[module]()), SMALL, tracking_uri=logged)
        assert versions(logged) == {}
        assert logged_models(logged) == []

    def test_mlflow_that_is_away(self):
        with pytest.raises(TrackingUnavailableError, match=r"127\.0\.0\.1:9"):
            register(entry(), SMALL, tracking_uri="http://127.0.0.1:9")


class Untraceable(nn.Module):
    def forward(self, images):
        return images.flatten(1) if images.sum() > 0 else -images.flatten(1)


class Counting(nn.Module):
    def forward(self, images):
        return images.flatten(1) * (2.0 if len(images) == 2 else 1.0)


class Random(nn.Module):
    def forward(self, images):
        return torch.rand_like(images).flatten(1)


class Several(nn.Module):
    def forward(self, images):
        return images, images


class TestModelName:
    def test_has_a_name_and_where_it_is_said_an_alias(self):
        assert ModelName.parse("net 1.0_b-c") == ModelName(name="net 1.0_b-c", alias=None)
        assert ModelName.parse("net@champion") == ModelName(name="net", alias="champion")

    @pytest.mark.parametrize("text", ["", "@champion", "a/b", "a:b", "..", " a", "a?b", "a#b"])
    def test_names_that_mlflow_refuses_or_cannot_load_by(self, text):
        with pytest.raises(BadInputError, match="cannot be the name"):
            ModelName.parse(text)

    @pytest.mark.parametrize("alias", ["", "two words", "a@b", "a/b", "x" * 256])
    def test_aliases_that_mlflow_refuses(self, alias):
        with pytest.raises(BadInputError, match="cannot be an alias"):
            ModelName.parse(f"net@{alias}")

    @pytest.mark.parametrize("alias", ["latest", "Latest", "v1", "V12"])
    def test_aliases_that_mean_something_else(self, alias):
        with pytest.raises(BadInputError, match="reserved"):
            ModelName.parse(f"net@{alias}")


LOADING = """
import mlflow, numpy, torch
mlflow.set_tracking_uri({uri!r})
served = mlflow.pyfunc.load_model({model!r}, model_config={{"device": "cpu"}})
loaded = mlflow.pytorch.load_model({model!r})
for name, images in numpy.load("given.npz").items():
    numpy.save(name + "-pyfunc.npy", served.predict(images))
    numpy.save(name + "-torch.npy", loaded(torch.from_numpy(images)).detach().numpy())
"""


def check_without_orchard(uri: str, model_uri: str, module: nn.Module, folder: Path) -> None:
    """A process without Orchard computes the same with the registered model, loaded in both ways."""
    given = batches()
    np.savez(folder / "given.npz", **{name: images.numpy() for name, images in given.items()})
    run_without_orchard(
        "import warnings; warnings.simplefilter('ignore')" + LOADING.format(uri=uri, model=model_uri), folder
    )
    found = {path.stem: torch.from_numpy(np.load(path)) for path in folder.glob("*-*.npy")}
    assert set(found) == {"one-pyfunc", "one-torch", "five-pyfunc", "five-torch"}
    for name, outputs in found.items():
        torch.testing.assert_close(outputs, module(given[name.partition("-")[0]]), rtol=0, atol=1e-5)


def batches() -> dict[str, torch.Tensor]:
    return {"one": torch.rand(1, 1, 8, 8), "five": torch.rand(5, 1, 8, 8)}  # it was traced with two


@pytest.mark.slow
def test_a_process_without_orchard_computes_the_same(logged, tmp_path):
    module = network()
    made = register(entry(module), CHAMPION, tracking_uri=logged)
    check_without_orchard(logged, made.uri, module, tmp_path)


@pytest.mark.slow
def test_a_real_server_keeps_it_and_gives_it_out(database, tmp_path):
    module = network()
    with mlflow_server(database, "--artifacts-destination", str(tmp_path / "kept")) as address:
        log(address, CURVE, ended=True)
        made = register(entry(module), CHAMPION, tracking_uri=address)
        again = register(entry(module), CHAMPION, tracking_uri=address)
        check_without_orchard(address, made.uri, module, tmp_path)
    assert (again.version, again.created) == ("1", False)
    assert made.address == f"{address}/#/models/small/versions/1"
    assert [path.name for path in (tmp_path / "kept").rglob("*.pt2")] == ["model.pt2"]


@pytest.mark.slow
def test_mlflows_scoring_server_gives_the_same_outputs(logged):
    module = network()
    made = register(entry(module), CHAMPION, tracking_uri=logged)
    with served_model(logged, made.uri) as address:
        for images in batches().values():
            body = json.dumps({"inputs": images.tolist()}).encode()
            request = Request(address, body, {"Content-Type": "application/json"})
            with urlopen(request, timeout=60) as answer:
                predictions = torch.tensor(json.load(answer)["predictions"])
            torch.testing.assert_close(predictions, module(images), rtol=0, atol=1e-5)
