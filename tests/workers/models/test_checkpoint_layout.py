"""Layouts in which people keep the same weights; each is found without being told."""

import pytest
import torch

from jobs.errors import BadInputError
from jobs.weights import CheckpointReading
from workers.models.checkpoint_layout import find_tensors

STATE = {"conv.weight": torch.ones(2), "norm.bias": torch.zeros(2), "norm.num_batches_tracked": torch.tensor(3)}
OPTIMIZER = {"optimizer": {"state": {0: {"step": torch.tensor(1)}}}}
OTHER = {name: tensor + 1 for name, tensor in STATE.items()}


def prefixed(prefix, state=STATE):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def find(content, **said):
    return find_tensors(content, STATE.keys(), CheckpointReading(**said), source="w.pt")


@pytest.mark.parametrize(
    ("content", "key", "prefix", "aside"),
    [
        (STATE, "", "", ()),
        ({"epoch": 3, **STATE}, "", "", ("epoch",)),
        *(
            ({"epoch": 3, key: STATE, **OPTIMIZER}, key, "", ("epoch", "optimizer"))
            for key in ("state_dict", "model", "model_state", "model_state_dict", "net", "ema", "module", "my_weights")
        ),
        *((prefixed(prefix), "", prefix, ()) for prefix in ("module.", "_orig_mod.", "model.", "net.", "lab.student.")),
        ({"state_dict": prefixed("module._orig_mod.")}, "state_dict", "module._orig_mod.", ()),
        ({"ckpt": {"model": STATE}}, "ckpt.model", "", ()),
        ({"n_averaged": torch.tensor(5), **prefixed("module.")}, "", "module.", ("n_averaged",)),
        ({"state_dict": {**prefixed("model."), "loss.w": torch.ones(3)}}, "state_dict", "model.", ("loss.w",)),
        ({"ema": OTHER, "model": STATE}, "model", "", ("ema",)),
        ({"state_dict_ema": OTHER, "state_dict": STATE}, "state_dict", "", ("state_dict_ema",)),
        ({"model": {"other.weight": torch.ones(1)}, "ema": STATE}, "ema", "", ("model",)),
    ],
)  # fmt: skip
def test_it_is_found_by_the_names_of_the_network(content, key, prefix, aside):
    found = find(content)
    assert (found.key, found.prefix, found.aside) == (key, prefix, aside)
    assert found.state.keys() == STATE.keys()
    assert all(torch.equal(found.state[name], tensor) for name, tensor in STATE.items())


def test_an_average_is_taken_by_word():
    found = find({"model": OTHER, "ema": STATE}, key="ema")
    assert torch.equal(found.state["conv.weight"], STATE["conv.weight"])


@pytest.mark.parametrize("prefix", ["teacher", "teacher."])
def test_of_two_networks_in_one_file_one_is_taken_by_word(prefix):
    both = {**prefixed("model.", OTHER), **prefixed("teacher.")}
    with pytest.raises(BadInputError, match=r"there 2 times, under model\., teacher\.; say which by strip_prefix"):
        find(both)
    found = find(both, prefix=prefix)
    assert torch.equal(found.state["conv.weight"], STATE["conv.weight"])
    assert found.aside == tuple(prefixed("model."))


def test_the_layout_is_said_in_words():
    half = {"model": {name: tensor.half() for name, tensor in prefixed("net.").items()}}
    assert find(half).layout == "under 'model', prefix 'net.' removed, float16"


@pytest.mark.parametrize(
    ("content", "said", "problem"),
    [
        ({"model": STATE, "ema": OTHER}, {"key": "emma"}, r"'emma' is not in the file, .*; did you mean 'ema'\?"),
        ({"model": STATE, "epoch": 3}, {"key": "epoch"}, "'epoch' holds int; a mapping of tensors is needed"),
        (prefixed("model."), {"prefix": "modell"}, r"begins with strip_prefix 'modell.'; did you mean 'model.'\?"),
        ([torch.ones(1)], {}, "holds list; a non-empty mapping of names to tensors"),
        ({}, {}, "holds nothing; a non-empty mapping"),
    ],
)
def test_what_is_not_there_is_said(content, said, problem):
    with pytest.raises(BadInputError, match=problem):
        find(content, **said)
