from importlib.metadata import version

import pytest

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from orchestrator.environment import git_commit, gpus_of_this_machine, read_environment


def test_versions_are_those_that_are_installed(tiny_sweep, write_sweep):
    environment = read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")
    assert environment.torch_version == version("torch")
    assert environment.ortools_version == version("ortools")


def test_digits_are_named_by_the_package_that_brings_them(tiny_sweep, write_sweep):
    environment = read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")
    assert environment.data == f"scikit-learn {version('scikit-learn')}"


def test_a_checkpoint_is_named_by_its_content(tiny_sweep, write_sweep, tmp_path):
    weights = tmp_path / "net.safetensors"
    tiny_sweep["models"]["net"] = {"network": "resnet", "weights": str(weights)}
    spec = load_sweep(write_sweep(tiny_sweep))
    weights.write_bytes(b"1")
    before = read_environment(spec, device="cpu").weights["net"]
    weights.write_bytes(b"2")
    assert read_environment(spec, device="cpu").weights["net"] != before


def test_one_file_of_several_models_is_read_once(tiny_sweep, write_sweep, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr("orchestrator.environment.weights_fingerprint", lambda *named: read.append(named) or "f")
    (tmp_path / "net.safetensors").touch()
    model = {"network": "resnet", "weights": str(tmp_path / "net.safetensors")}
    tiny_sweep["models"] = {"a": model, "b": model}
    assert read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu").weights == {"a": "f", "b": "f"}
    assert len(read) == 1


def test_weights_of_a_library_and_of_the_users_own_callable_are_named_without_reading_any(tiny_sweep, write_sweep):
    tiny_sweep["models"] = {
        "theirs": {"network": "torchvision:resnet18", "weights": "pretrained"},
        "mine": {"network": "jobs.errors:nearest", "weights": "own"},
    }
    environment = read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")
    assert environment.weights == {"theirs": f"torchvision {version('torchvision')} pretrained", "mine": "own"}
    assert environment.sources.keys() == {"jobs.errors:nearest"}


def test_networks_of_optional_libraries_are_named_by_their_versions(tiny_sweep, write_sweep):
    pytest.importorskip("timm", reason="the extra timm is not installed")
    tiny_sweep["models"] = {"net": {"network": "timm:resnet18", "train": {"epochs": 1}}}
    environment = read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")
    assert environment.sources == {"timm:resnet18": f"timm {version('timm')}"}


def test_so_is_the_package_that_attacks(tiny_sweep, write_sweep):
    pytest.importorskip("pyautoattack", reason="the extra attacks is not installed")
    tiny_sweep["measure"] = {"attack": {"by": {"auto": {"kind": "autoattack", "epsilon": 8}}}}
    environment = read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")
    assert environment.sources == {"pyautoattack": f"pyautoattack {version('pyautoattack')}"}


def test_the_users_own_fingerprint_stands_for_data_that_the_driver_cannot_read(tiny_sweep, write_sweep):
    tiny_sweep["data"] = {"dataset": "cifar10", "root": "/only/on/workers", "fingerprint": "v1"}
    assert read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu").data == "v1"


def test_everything_that_is_missing_is_named_at_once(tiny_sweep, write_sweep):
    tiny_sweep["data"] = {"dataset": "cifar10", "root": "/no/data"}
    tiny_sweep["models"] = {
        "a": {"network": "resnet", "weights": "/no/weights"},
        "b": {"network": "jobs.no_such_module:net", "train": {"epochs": 1}},
    }
    with pytest.raises(InvalidFileError) as caught:
        read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")
    assert {fault.path for fault in caught.value.faults} == {"data.root", "models.a.weights", "models.b.network"}


def test_the_users_own_criteria_and_observations_are_named_by_their_source(tiny_sweep, write_sweep):
    tiny_sweep["methods"]["own"] = {
        "kind": "criterion",
        "criterion": "jobs.errors:nearest",
        "observation": "jobs.imports:import_problem",
    }
    sources = read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu").sources
    assert sources.keys() == {"jobs.errors:nearest", "jobs.imports:import_problem"}
    tiny_sweep["methods"]["own"]["observation"] = "jobs.no_such_module:look"
    with pytest.raises(InvalidFileError, match=r"methods\.own\.observation"):
        read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")


def test_the_users_own_protocols_are_named_by_their_source(tiny_sweep, write_sweep):
    tiny_sweep["protocols"] = {"mine": {"kind": "own", "change": "jobs.errors:nearest"}}
    assert read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu").sources.keys() == {"jobs.errors:nearest"}
    tiny_sweep["protocols"]["mine"]["change"] = "jobs.no_such_module:mine"
    with pytest.raises(InvalidFileError, match=r"protocols\.mine\.change"):
        read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")


def test_outside_of_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert git_commit() == ""


@pytest.mark.parametrize(("visible", "count"), [(None, 4), ("", 0), ("-1", 0), ("2,3", 2), ("0,1,2,3,4,5", 4)])
def test_hidden_gpus_do_not_count(monkeypatch, tmp_path, visible, count):
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus_of_this_machine(tmp_path) == count


class TestOwnData:
    @pytest.fixture
    def labels(self, tiny_sweep, tmp_path):
        """A file that an own data set reads; the module is never imported."""
        file = tmp_path / "labels.csv"
        file.write_text("1,2")
        tiny_sweep["data"] = {"dataset": "jobs.errors:nearest", "arguments": {"path": str(file)}}
        return file

    def test_files_that_its_arguments_name_name_the_data(self, tiny_sweep, write_sweep, labels):
        spec = load_sweep(write_sweep(tiny_sweep))
        before = read_environment(spec, device="cpu").data
        labels.write_text("2,1")
        assert read_environment(spec, device="cpu").data != before

    def test_what_is_not_there_is_a_fault_of_the_data(self, tiny_sweep, write_sweep, labels):
        labels.unlink()
        with pytest.raises(InvalidFileError, match=r"arguments\.path: .*no such file"):
            read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")

    def test_the_users_own_fingerprint_stands_for_them(self, tiny_sweep, write_sweep, labels):
        labels.unlink()
        tiny_sweep["data"]["fingerprint"] = "v1"
        assert read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu").data == "v1"


def test_no_code_of_the_users_leaves_no_trace_in_the_environment(tiny_sweep, write_sweep):
    environment = read_environment(load_sweep(write_sweep(tiny_sweep)), device="cpu")
    assert (environment.sources, environment.modules) == ({}, {})
