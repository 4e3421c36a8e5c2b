"""One pass, recorded."""

import pytest
import torch
from torch import nn

from workers.channels import find_groups
from workers.channels.exporting import exported
from workers.channels.recording import UnknownNumberError, UnknownTensorError, recorded
from workers.channels.trace import Example, meta_copy, stack_of, trace

IMAGE = torch.empty(2, 3, 4, 4, device="meta")


def call_names(graph):
    return [(node.name, str(node.target)) for node in graph.nodes if node.op == "call_function"]


class Block(nn.Module):
    """Composite operators, one with several results, one in place, a shared layer, a buffer."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.linear = nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.Linear(6, 6)
        self.register_buffer("scale", torch.ones(6))

    def forward(self, x):
        one, other = nn.functional.relu_(self.norm(self.conv(x))).flatten(2).transpose(1, 2).chunk(2, 1)
        one = self.linear(one) @ self.linear(other).transpose(1, 2)
        return {"first": one.softmax(-1), "second": other * self.scale + torch.tensor(2.0)}


@pytest.fixture(scope="module")
def block():
    return recorded(meta_copy(Block()).eval(), (IMAGE,), {}, noting=True)


def test_the_operators_and_their_names_are_those_of_torch_export(block):
    assert call_names(block[0]) == call_names(exported(meta_copy(Block()).eval(), (IMAGE,), {}, noting=True)[0])


def test_placeholders_are_known_by_the_names_of_their_tensors(block):
    assert {"conv.weight", "norm.running_var", "linear.bias", "scale"} <= set(block[1].values())


def test_a_call_knows_the_modules_at_work(block):
    (conv,) = (node for node in block[0].nodes if node.name == "conv2d")
    assert stack_of(conv) == ("", "conv")


def test_all_leaves_of_a_result_are_outputs(block):
    (output,) = (node for node in block[0].nodes if node.op == "output")
    assert [node.name for node in output.args[0]] == ["softmax", "add"]


def graph_of(forward, **attributes):
    network = nn.Module()
    for name, value in attributes.items():
        setattr(network, name, value)
    network.forward = lambda x: forward(network, x)
    return recorded(network.to("meta"), (IMAGE,), {}, noting=False)[0]


def test_a_call_keeps_the_shape_that_its_result_had():
    graph = graph_of(lambda _, x: (x + 1).squeeze_(0).unsqueeze_(0).transpose_(0, 1))
    shapes = {node.name: tuple(node.meta["val"].shape) for node in graph.nodes if node.op == "call_function"}
    assert shapes["add"] == (2, 3, 4, 4)
    assert shapes["transpose_"][:2] == (2, 1)


def test_a_number_that_code_reads_is_an_error():
    with pytest.raises(UnknownNumberError, match="reads a number"):
        graph_of(lambda _, x: x * x.sum().item())


def test_a_decision_by_chance_is_an_error():
    with pytest.raises(UnknownNumberError, match="by chance"):
        graph_of(lambda _, x: x if torch.rand(1) + 1 < 0.5 else -x)


def test_a_number_that_code_made_of_numbers_can_be_read():
    graph = graph_of(lambda _, x: x * torch.linspace(0, 1, 3)[1].item())
    assert next(node for node in graph.nodes if node.name == "mul").args[1] == 0.5


def test_a_number_that_only_an_operator_sees_stands_for_itself():
    graph = graph_of(lambda network, x: x.new_full((2, 1), network.stride), stride=nn.Buffer(torch.tensor(4.0)))
    full = next(node for node in graph.nodes if node.name == "new_full")
    assert [node.name for node in full.all_input_nodes] == ["input_1", "item"]


def test_a_tensor_from_nowhere_is_an_error():
    hidden = torch.empty(2, 3, 4, 4, device="meta")
    with pytest.raises(UnknownTensorError, match="from nowhere"):
        graph_of(lambda _, x: x + hidden)


class Counting(nn.Module):
    """Reads a size from a tensor."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x):
        rows = (x.sum() > 0).long().item()
        torch._check(rows >= 0)
        return self.two(self.one(x)), x.new_zeros(rows)


def test_where_numbers_are_read_torch_export_traces():
    traced = trace(meta_copy(Counting()), Example(subject="it", args=(torch.empty(2, 4, device="meta"),)))
    assert traced.way.exporting
    assert [group.name for group in find_groups(Counting(), (4,)).groups] == ["one"]


def test_an_ordinary_network_needs_no_export():
    traced = trace(meta_copy(Block()), Example(subject="it", args=(IMAGE,)))
    assert not traced.way.exporting
    assert traced.way.noting
