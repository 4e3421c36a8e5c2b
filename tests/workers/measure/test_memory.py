import pytest
import torch
from token_network import INPUTS, Tokens
from torch import nn

from jobs.errors import BadInputError
from workers.channels.headwise import free_heads
from workers.measure import peak_memory_bytes


def test_most_tensors_are_alive_when_an_activation_meets_its_input():
    # Parameters: 4*9 + 4 and 2*4*9 + 2 = 114. At the ReLU: the image (64), its input and its output (256 each).
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))
    assert peak_memory_bytes(model, (1, 8, 8)) == 4 * (114 + 64 + 256 + 256)


def test_in_place_needs_no_second_tensor():
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(inplace=True))
    assert peak_memory_bytes(model, (1, 8, 8)) == 4 * (40 + 64 + 256)


def test_activations_grow_with_the_batch_and_parameters_do_not():
    model = nn.Linear(3, 5)
    assert peak_memory_bytes(model, (3,), batch_size=7) == 4 * (20 + 7 * 3 + 7 * 5)


def test_a_view_takes_no_memory():
    assert peak_memory_bytes(nn.Flatten(), (2, 3, 4)) == 4 * 24


def test_the_model_stays_as_it_was():
    model = nn.Sequential(nn.BatchNorm1d(3)).train()
    peak_memory_bytes(model, (3,))
    assert model.training
    assert model[0].weight.device == torch.device("cpu")


def test_another_shape_is_refused():
    with pytest.raises(BadInputError, match=r"cannot be run on 1 sample\(s\) of shape \(4,\)"):
        peak_memory_bytes(nn.Linear(3, 5), (4,))


def test_all_inputs_are_there_from_the_beginning():
    own = 4 * sum(parameter.numel() for parameter in Tokens().parameters())
    assert peak_memory_bytes(Tokens(), INPUTS) >= own + 5 * 8 + 5


class Tied(nn.Module):
    """Reads a table as it is, transposed and in parts; a buffer, too."""

    def __init__(self, item=False):
        super().__init__()
        self.table, self.item = nn.Parameter(torch.rand(100, 30)), item
        self.register_buffer("shift", torch.rand(2, 100))

    def forward(self, x):
        if self.item and float(x.sum()) > 1e9:
            return x
        first, second, _ = self.table.chunk(3, 1)
        return x @ first.t() + x @ second.t() + self.shift[0]


@pytest.mark.parametrize("item", [False, True], ids=["without numbers", "with numbers"])
def test_views_of_what_is_stored_take_no_memory(item):
    # The input, two products and their sum.
    assert peak_memory_bytes(Tied(item), (10,)) == 4 * (3000 + 200 + 10 + 300)


def test_attention_of_free_heads_needs_no_more_than_torchs():
    own = nn.TransformerEncoderLayer(64, 4, 64, batch_first=True).eval()
    before = peak_memory_bytes(own, (5, 64))
    free_heads(own)
    assert peak_memory_bytes(own, (5, 64)) <= before
