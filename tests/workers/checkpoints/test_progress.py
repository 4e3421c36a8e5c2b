import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.checkpoints import Progress, UnfitProgressError, check_fit, decode, encode


def a_progress(**changes):
    weight = torch.arange(6.0).view(2, 3)
    tensors = {"model": {"a/b": weight, "tied": weight, "count": torch.tensor(3)}, "order": {}}
    return Progress(**{"where": "step 3", "tensors": tensors, "record": {"loss": 0.1, "done": [1, 2]}, **changes})


def test_it_comes_back_as_it_was():
    found = decode(encode(a_progress()))
    assert (found.where, found.record) == ("step 3", {"loss": 0.1, "done": [1, 2]})
    assert found.tensors.keys() == {"model", "order"}
    for name, tensor in a_progress().tensors["model"].items():
        assert found.tensors["model"][name].dtype == tensor.dtype
        assert torch.equal(found.tensors["model"][name], tensor)


@given(st.floats())
def test_numbers_come_back_bit_for_bit(value):
    assert repr(decode(encode(a_progress(record={"loss": value}))).record["loss"]) == repr(value)


def test_it_is_no_pickle(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "run",))

    with pytest.raises(UnfitProgressError, match="damaged"):
        decode(pickle.dumps(Hostile()))
    assert not (tmp_path / "run").exists()
    assert torch.equal(safetensors.torch.load(encode(a_progress()))["model/tied"], torch.arange(6.0).view(2, 3))


@pytest.mark.parametrize("length", [0, 7, 8, 100, -1])
def test_a_torn_one_is_refused(length):
    with pytest.raises(UnfitProgressError, match="it is damaged"):
        decode(encode(a_progress())[:length])


def test_another_format_is_refused(monkeypatch):
    monkeypatch.setattr("workers.checkpoints.progress._FORMAT", 2)
    content = encode(a_progress())
    monkeypatch.undo()
    with pytest.raises(UnfitProgressError, match="it has format 2; 1 is read"):
        decode(content)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"a": torch.zeros(2)}, "its model: it or the computation lacks b"),
        ({"a": torch.zeros(2), "b": torch.zeros(1)}, r"has 'b' as torch.float32 \(1,\); torch.float32 \(3,\) fits"),
        ({"a": torch.zeros(2), "b": torch.zeros(3).double()}, "has 'b' as torch.float64"),
    ],
)
def test_what_does_not_fit_is_named(found, said):
    with pytest.raises(UnfitProgressError, match=said):
        check_fit("model", found, {"a": torch.zeros(2), "b": torch.zeros(3)})
