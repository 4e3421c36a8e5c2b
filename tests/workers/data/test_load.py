import importlib.util
import os
import sys
import types
import weakref
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from jobs.errors import BadInputError, UnfitMachineError
from jobs.stages.common import DatasetParams
from jobs.task import Locations
from workers.data import ImageData, Split, forget_data, load_dataset
from workers.stages._images import read_data


@pytest.fixture(autouse=True)
def _fresh():
    forget_data()
    yield
    forget_data()


@pytest.fixture
def calls(monkeypatch):
    """The calls of a user's factory `orchard_test_lab:ones`."""
    made = []

    def ones(root, count=2):
        made.append((root, count))
        split = Split(images=torch.ones(count, 1, 2, 2), targets=torch.zeros(count, dtype=torch.int64))
        return ImageData(train=split, validation=split, test=split, num_classes=1, input_shape=(1, 2, 2))

    module = types.ModuleType("orchard_test_lab")
    module.ones = ones
    module.wrong = lambda root: 3
    module.rootless = lambda: 3
    module.opens = lambda root: os.stat("/no/such/labels.csv")
    module.lists = lambda root: os.listdir(__file__)
    monkeypatch.setitem(sys.modules, "orchard_test_lab", module)
    return made


def test_a_users_factory_gets_root_and_arguments(calls):
    assert len(load_dataset("orchard_test_lab:ones", "here", arguments={"count": 5}).train) == 5
    assert calls == [("here", 5)]


def test_the_same_data_is_read_once(calls):
    first = load_dataset("orchard_test_lab:ones", arguments={"count": 1})
    assert load_dataset("orchard_test_lab:ones", arguments={"count": 1}) is first
    assert len(calls) == 1


def test_root_arguments_and_normalisation_tell_data_apart(calls):
    load_dataset("orchard_test_lab:ones", "a")
    load_dataset("orchard_test_lab:ones", "b")
    load_dataset("orchard_test_lab:ones", "a", arguments={"count": 3})
    load_dataset("orchard_test_lab:ones", "a", normalize=([0.0], [1.0]))
    assert len(calls) == 4


def test_another_content_is_read_anew_and_takes_the_place_of_the_old_one(calls):
    load_dataset("orchard_test_lab:ones", "other", content="1")
    before = weakref.ref(load_dataset("orchard_test_lab:ones", "a", content="1").train.images)
    after = load_dataset("orchard_test_lab:ones", "a", content="2")
    assert load_dataset("orchard_test_lab:ones", "a", content="2") is after
    load_dataset("orchard_test_lab:ones", "other", content="1")
    assert before() is None  # no longer in memory
    assert [root for root, _ in calls] == ["other", "a", "a"]  # and no other one had to go for it


def test_only_the_last_two_are_kept(calls):
    for count in (1, 2, 3, 1):
        load_dataset("orchard_test_lab:ones", arguments={"count": count})
    assert len(calls) == 4  # the third pushed the first out


@pytest.mark.usefixtures("calls")
def test_normalising_subtracts_the_mean_and_divides_by_the_deviation():
    data = load_dataset("orchard_test_lab:ones", normalize=([0.5], [0.25]))
    assert data.train.images.unique().tolist() == [2]  # (1 - 0.5) / 0.25


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("name", "keywords", "said"),
    [
        ("digit", {}, "data 'digit': unknown; did you mean 'digits'"),
        ("cifar10", {}, "no root given"),
        ("cifar10", {"root": "/no/such/folder"}, "is not a folder on this machine"),
        ("cifar10", {"root": "s3://bucket/data"}, "not from a URI: mount it"),
        ("digits", {"arguments": {"size": 3}}, "argument 'size' is not accepted"),
        ("digits", {"arguments": {"size": object()}}, "plain values are needed"),
        ("imagefolder", {"arguments": {"size": "16"}}, "argument 'size' is '16', of type str; int is needed"),
        ("imagefolder", {"arguments": {"size": 8, "resize": 9.5}}, "'resize' is 9.5, of type float; int is needed"),
        ("digits", {"normalize": ([0.1, 0.2], [1.0, 1.0])}, "1 means and 1 positive standard deviations"),
        ("digits", {"normalize": ([0.1], [0.0])}, "positive standard deviations"),
        ("orchard_test_lab:one", {}, "did you mean 'ones'"),
        (
            "orchard_test_lab:wrong",
            {"arguments": {"root": 3}},
            "'root' is the name of a first parameter, which is filled",
        ),
        ("orchard_test_lab:rootless", {}, "it takes 0 .*is called with data.root.*add a first parameter"),
        ("orchard_test_lab:opens", {}, r"opens a file that this machine lacks \(.*labels\.csv'\); name one"),
        ("orchard_test_lab:lists", {}, "opens a file that this machine lacks"),
        ("orchard_test_lab:wrong", {}, "returned int; it must return a workers.data.ImageData"),
    ],
)
def test_what_cannot_be_loaded_is_said(name, keywords, said):
    with pytest.raises(BadInputError, match=said):
        load_dataset(name, **keywords)


@pytest.mark.usefixtures("calls")
def test_what_lies_on_another_machine_only_is_no_fault_of_the_sweep_file(tmp_path):
    for name, root in (("cifar10", "/no/such/folder"), ("cifar10", str(tmp_path)), ("orchard_test_lab:opens", None)):
        with pytest.raises(UnfitMachineError, match="this machine"):
            load_dataset(name, root)
    with pytest.raises(UnfitMachineError, match="no module named 'orchard_no_such_lab' here"):
        load_dataset("orchard_no_such_lab:data")


@pytest.mark.slow
def test_the_real_cifar10_has_its_published_sizes():
    root = os.environ.get("ORCHARD_DATA")
    if not root:
        pytest.skip("ORCHARD_DATA is unset: no CIFAR-10 here")
    data = load_dataset("cifar10", root)
    assert [len(data.train), len(data.validation), len(data.test)] == [45_000, 5_000, 10_000]
    assert torch.bincount(data.test.targets).tolist() == [1_000] * 10
    # The published channel means of the training images; the last 5,000 move them by less than 0.001.
    assert data.train.images.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-3)


def test_several_tensors_are_not_normalised(monkeypatch):
    split = Split(images=(torch.ones(2, 3), torch.ones(2)), targets=torch.zeros(2))
    module = types.ModuleType("orchard_test_pairs")
    module.pairs = lambda root: ImageData(train=split, validation=split, test=split)
    monkeypatch.setitem(sys.modules, "orchard_test_pairs", module)
    with pytest.raises(BadInputError, match="normalize is of images, and this data gives 2 inputs"):
        load_dataset("orchard_test_pairs:pairs", normalize=([0.5], [0.5]))


def test_a_missing_library_is_told_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInputError, match=r"datasets is not installed here; pip install 'orchard\[datasets\]'"):
        load_dataset("huggingface", "/photos")


def test_splits_know_how_many_processes_read_them():
    data = load_dataset("digits", workers=3)
    assert {split.workers for split in (data.train, data.validation, data.test)} == {3}
    assert load_dataset("digits").train.workers == 0


def test_a_task_reads_anew_what_its_plan_knows_by_another_fingerprint(calls):
    context = SimpleNamespace(task=SimpleNamespace(locations=Locations(data="a")))
    params = DatasetParams(dataset="orchard_test_lab:ones", fingerprint="40 files", source="first")
    for each in (params, params, replace(params, fingerprint="80 files"), replace(params, source="second")):
        read_data(context, each)
    assert len(calls) == 3
