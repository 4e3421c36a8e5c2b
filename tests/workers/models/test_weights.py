import argparse
import os
import pickle
import random
import uuid
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file, save_model
from torch import nn

from jobs.errors import BadInputError, InvalidFileError
from jobs.weights import CheckpointReading
from workers.data import load_dataset
from workers.measure import evaluate
from workers.models import build, load_weights
from workers.models.checkpoint_files import read_checkpoint
from workers.objectives.classification import objective

CLASSIFICATION = objective()


def small_net():
    return nn.Sequential(nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2))


@pytest.fixture
def donor():
    model = small_net()
    nn.init.uniform_(model[1].running_mean)
    return model


def assert_same(model, donor):
    for name, tensor in donor.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_safetensors_are_loaded(donor, tmp_path):
    save_file(donor.state_dict(), tmp_path / "w.safetensors")
    model = small_net()
    load_weights(model, str(tmp_path / "w.safetensors"))
    assert_same(model, donor)


class TiedNet(nn.Module):
    """The last layer has the weights of the middle one."""

    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(2, 2)
        self.last.weight = self.middle.weight


@pytest.mark.parametrize("prefix", ["", "net."])
def test_a_tensor_that_the_network_has_twice_may_be_in_the_file_once(tmp_path, prefix):
    donor, model = TiedNet(), TiedNet()
    save_model(nn.ModuleDict({"net": donor}) if prefix else donor, tmp_path / "w.safetensors")
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert len(file.keys()) == len(donor.state_dict()) - 1
    loaded = load_weights(model, str(tmp_path / "w.safetensors"))
    assert_same(model, donor)
    assert loaded.fresh == ()


def test_a_tensor_of_the_same_shape_is_not_taken_for_another_one(tmp_path):
    state = TiedNet().state_dict()
    del state["last.bias"]
    save_file({name: each.clone() for name, each in state.items()}, tmp_path / "w.safetensors")
    with pytest.raises(InvalidFileError, match=r"last\.bias: missing from the file"):
        load_weights(TiedNet(), str(tmp_path / "w.safetensors"))


@pytest.mark.parametrize("ending", ["pt", "pth"])
def test_nested_and_prefixed_checkpoints_are_unwrapped(donor, tmp_path, ending):
    path = tmp_path / f"w.{ending}"
    torch.save({"epoch": 3, "state_dict": nn.DataParallel(donor).state_dict()}, path)
    model = small_net()
    load_weights(model, str(path))
    assert_same(model, donor)


def test_half_precision_is_cast_to_the_models_type(tmp_path):
    # 0.1 in half precision is 1638/16384 = 0.0999755859375, which float32 holds exactly.
    save_file({"weight": torch.full((2, 3), 0.1, dtype=torch.float16)}, tmp_path / "w.safetensors")
    model = nn.Linear(3, 2, bias=False)
    load_weights(model, str(tmp_path / "w.safetensors"))
    assert model.weight.dtype == torch.float32
    assert model.weight[0, 0].item() == 0.0999755859375


def test_a_file_without_batch_norms_step_counter_is_enough(donor, tmp_path):
    state = {name: each for name, each in donor.state_dict().items() if "num_batches" not in name}
    save_file(state, tmp_path / "w.safetensors")
    load_weights(small_net(), str(tmp_path / "w.safetensors"))


def test_any_fsspec_uri_is_read(donor):
    uri = f"memory://{uuid.uuid4().hex}/w.pt"
    with fsspec.open(uri, "wb") as file:
        torch.save(donor.state_dict(), file)
    model = small_net()
    load_weights(model, uri)
    assert_same(model, donor)


def test_every_tensor_that_does_not_fit_is_listed_and_none_is_loaded(donor, tmp_path):
    state = donor.state_dict()
    del state["1.bias"]
    state["0.weight"] = torch.zeros(2, 4)
    state["2.weight"] = torch.zeros(1)
    save_file(state, tmp_path / "w.safetensors")
    model = small_net()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    with pytest.raises(InvalidFileError) as caught:
        load_weights(model, str(tmp_path / "w.safetensors"))
    assert str(caught.value).splitlines()[1:] == [
        "  0.weight: has shape (2, 4); the network's is (2, 3)",
        "  1.bias: missing from the file; the network has it with shape (2,)",
        "  2.weight: not in the network; check its name and arguments",
    ]
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_the_hostile_pickle_is_hostile(tmp_path):
    pickle.loads(pickle.dumps(Hostile(tmp_path / "run")))
    assert (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("ending", ["pt", "pth"])
@pytest.mark.parametrize("kind", ["zip", "legacy", "bare"])
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, ending, kind):
    path, content = tmp_path / f"w.{ending}", {"weight": Hostile(tmp_path / "run")}
    if kind == "bare":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(BadInputError, match=r"refused: .*could run code; only tensors.*Save model\.state_dict"):
        load_weights(small_net(), str(path))
    assert not (tmp_path / "run").exists()


def test_a_hostile_pickle_called_safetensors_is_refused_and_not_run(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(pickle.dumps(Hostile(tmp_path / "run")))
    with pytest.raises(BadInputError, match=r"not a readable '\.safetensors' file"):
        load_weights(small_net(), str(tmp_path / "w.safetensors"))
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("zipped", [True, False])
def test_a_damaged_file_is_the_users_whatever_torch_makes_of_it(donor, tmp_path, zipped):
    torch.save(donor.state_dict(), tmp_path / "whole.pt", _use_new_zipfile_serialization=zipped)
    whole = bytearray((tmp_path / "whole.pt").read_bytes())
    draw, num_refused = random.Random(0), 0
    for _ in range(200):
        content = whole.copy()
        for _ in range(3):
            content[draw.randrange(min(700, len(content)))] = draw.randrange(256)
        (tmp_path / "w.pt").write_bytes(content)
        try:
            load_weights(small_net(), str(tmp_path / "w.pt"))
        except BadInputError:
            num_refused += 1
    assert num_refused > 100


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch, before it refuses the pickle
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("w.npz", b"", "ends in '.npz'; weights are read from .safetensors, .pt, .pth, .ckpt, .bin, .tar"),
        ("w.safetensors", b"\x00" * 20, "not a readable '.safetensors' file"),
        ("w.pt", b"", "is empty; copy it again"),
        ("w.safetensors", b"", "is empty; copy it again"),
        ("w.pt", b"PK\x03\x04 and no more", "not a readable archive of torch.save: it may be cut off"),
        ("w.pt", b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS"),
        ("w.ckpt", b"\n<!DOCTYPE html><html>", "is a web page"),
        ("w.pt", pickle.dumps([1]), "refused: it is damaged or holds Python objects"),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInputError, match=said):
        load_weights(small_net(), str(tmp_path / name))


@pytest.mark.parametrize("path", ["/no/such/folder/w.pt", "nosuchprotocol://w.pt"])
def test_a_path_that_cannot_be_opened_is_named(path):
    with pytest.raises(BadInputError, match=f"{path}: cannot be opened"):
        load_weights(small_net(), path)


def test_a_checkpoint_of_other_things_says_which(tmp_path):
    torch.save({"epoch": 3, "optimizer": {"lr": 0.1}, "ema": [torch.zeros(1)]}, tmp_path / "w.pt")
    with pytest.raises(BadInputError, match=r"holds epoch \(int\), optimizer \(dict\), ema \(list\); a non-"):
        load_weights(small_net(), str(tmp_path / "w.pt"))


def test_what_is_not_found_says_where_it_was_looked_for(tmp_path):
    torch.save({"epoch": 3, "model": {"weight": torch.zeros(1)}, "ema": {}}, tmp_path / "w.pt")
    with pytest.raises(InvalidFileError) as caught:
        load_weights(small_net(), str(tmp_path / "w.pt"))
    assert str(caught.value).splitlines()[-1] == (
        "  read under 'model', float32; left aside: epoch, ema; weights_key or strip_prefix say otherwise"
    )


@pytest.mark.parametrize("cut", [0.5, 0.99])
@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_a_file_that_was_cut_off_is_called_that(donor, tmp_path, cut, ending):
    path = tmp_path / f"w.{ending}"
    (torch.save if ending == "pt" else save_file)(donor.state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content))])
    with pytest.raises(BadInputError, match="it may be cut off: copy it again"):
        load_weights(small_net(), str(path))


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_a_torchscript_program_is_called_that(tmp_path):
    torch.jit.save(torch.jit.trace(nn.Linear(3, 2), torch.zeros(1, 3)), tmp_path / "w.pt")
    with pytest.raises(BadInputError, match=r"is a TorchScript program, torch\.jit\.load\(FILE\)\. Save model"):
        load_weights(small_net(), str(tmp_path / "w.pt"))


def test_a_program_of_torch_export_is_called_that(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("w/archive_format", "pt2")
    with pytest.raises(BadInputError, match=r"is a program of torch\.export"):
        load_weights(small_net(), str(tmp_path / "w.pt"))


def test_a_pickled_network_is_refused_by_its_class(tmp_path):
    torch.save({"epoch": 3, "model": nn.Linear(3, 2)}, tmp_path / "w.pt")
    with pytest.raises(BadInputError, match=r"Python objects \(torch\.nn\.modules\.linear\.Linear\), which could run"):
        load_weights(small_net(), str(tmp_path / "w.pt"))


def test_what_training_scripts_put_beside_tensors_is_no_obstacle(donor, tmp_path):
    beside = {"args": argparse.Namespace(lr=0.1), "best": np.float64(0.93), "epoch": np.int64(3)}
    torch.save({**beside, "model": donor.state_dict(), "optimizer": {"state": {0: {}}}}, tmp_path / "w.ckpt")
    model = small_net()
    assert load_weights(model, str(tmp_path / "w.ckpt")).aside == ("args", "best", "epoch", "optimizer")
    assert_same(model, donor)


def test_a_name_that_does_not_fit_comes_with_the_nearest_that_is_left_over(donor, tmp_path):
    state = donor.state_dict()
    state["l.weight"] = state.pop("0.weight")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(InvalidFileError) as caught:
        load_weights(small_net(), str(tmp_path / "w.safetensors"))
    assert str(caught.value).splitlines()[1:] == [
        "  0.weight: missing from the file; the network has it with shape (2, 3); nearest: 'l.weight'",
        "  l.weight: not in the network; check its name and arguments; nearest: '0.weight'",
    ]


def with_head(num_classes, width=4):
    return nn.Sequential(nn.Linear(3, width), nn.LayerNorm(width), nn.Linear(width, num_classes))


def test_a_head_of_other_classes_is_replaced_on_request_alone(tmp_path):
    donor, model = with_head(10), with_head(2)
    save_file(donor.state_dict(), tmp_path / "w.safetensors")
    path, own = str(tmp_path / "w.safetensors"), model[2].weight.clone()
    with pytest.raises(InvalidFileError, match=r"2: for other classes\? replace_head: true gives fresh weights"):
        load_weights(model, path)
    assert load_weights(model, path, CheckpointReading(replace_head=True)).fresh == ("2",)
    assert torch.equal(model[2].weight, own)
    assert torch.equal(model[0].weight, donor[0].weight)


def test_a_layer_within_that_is_of_another_width_is_no_head(tmp_path):
    save_file(with_head(2, width=5).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(InvalidFileError, match=r"1.weight: has shape \(5,\)"):
        load_weights(with_head(2), str(tmp_path / "w.safetensors"), CheckpointReading(replace_head=True))
    with pytest.raises(InvalidFileError) as caught:
        load_weights(with_head(2), str(tmp_path / "w.safetensors"))
    assert str(caught.value).splitlines()[-1] == "  more than a head differs; check the network's arguments"


def _published(file):
    folder = os.environ.get("ORCHARD_WEIGHTS")
    if not folder:
        pytest.skip("ORCHARD_WEIGHTS is unset: no trained weights here")
    return str(Path(folder) / file)


PUBLISHED = [
    ("cifar_resnet56", "resnet56_cifar10.safetensors"),
    ("cifar_vgg16_bn", "vgg16_bn_cifar10_fp16.safetensors"),
]


@pytest.mark.parametrize(("network", "file"), PUBLISHED)
def test_published_weights_fit_their_network(network, file):
    load_weights(build(network, {}), _published(file))


@pytest.mark.slow
@pytest.mark.parametrize(("network", "file"), PUBLISHED)
def test_published_weights_recognise_cifar10(network, file):
    path, root = _published(file), os.environ.get("ORCHARD_DATA")
    if not root:
        pytest.skip("ORCHARD_DATA is unset: no CIFAR-10 here")
    model = build(network, {})
    load_weights(model, path)
    first = load_dataset("cifar10", root).test.select(torch.arange(1_000))
    # 93.2 % and 92.2 % on all 10,000 images; 1,000 of them have a standard error of 0.8 %.
    assert (
        evaluate(model, first, CLASSIFICATION, batch_size=256, device="cpu", should_stop=lambda: False).metrics[
            "accuracy"
        ]
        >= 0.9
    )


def test_a_file_that_would_grow_a_hundredfold_is_refused_before_it_is_read(tmp_path):
    torch.save({"weight": torch.zeros(4_000_000)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as plain, zipfile.ZipFile(tmp_path / "bomb.pt", "w") as bomb:
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name), zipfile.ZIP_DEFLATED)
    assert (tmp_path / "bomb.pt").stat().st_size < 100_000
    with pytest.raises(BadInputError, match=r"would take 0\.0 GB when it is read, .* times its size"):
        read_checkpoint(str(tmp_path / "bomb.pt"))
    assert read_checkpoint(str(tmp_path / "plain.pt"))["weight"].numel() == 4_000_000
