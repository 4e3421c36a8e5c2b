import sys

import pytest
import torch
from torch import nn

from workers.observations.independence import row_independence


def by_definition(rows):
    """Nuclear norm less that of the matrix without a row, one by one, by singular values."""
    kept = 1 - torch.eye(len(rows), dtype=rows.dtype)
    whole = torch.linalg.matrix_norm(rows, "nuc")
    return torch.stack([whole - torch.linalg.matrix_norm(rows * each[:, None], "nuc") for each in kept])


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (4, 4), (1, 5)])
def test_it_is_what_the_nuclear_norm_loses_without_the_row(shape):
    rows = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(row_independence(rows), by_definition(rows))


def test_in_small_parts_it_is_the_same(monkeypatch):
    rows = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = [row_independence(each) for each in (rows, rows.T)]
    monkeypatch.setattr(sys.modules[row_independence.__module__], "_AT_ONCE", 1)
    for each, found in zip((rows, rows.T), expected, strict=True):
        torch.testing.assert_close(row_independence(each), found)


def test_orthogonal_rows_have_their_norms_and_twins_less():
    rows = torch.tensor([[3.0, 0, 0], [0, 4, 0], [0, 4, 0], [0, 0, 0]], dtype=torch.float64)
    # The twins together have singular value 4 sqrt(2), each alone 4.
    expected = [3, 4 * 2**0.5 - 4, 4 * 2**0.5 - 4, 0]
    assert row_independence(rows).tolist() == pytest.approx(expected)


def test_a_unit_has_the_mean_over_the_images(observe):
    module = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.ReLU(), nn.Conv2d(3, 2, 1))
    module[0].weight.data = torch.tensor([1.0, 1.0, -1.0]).view(3, 1, 1, 1)
    images = torch.stack([torch.ones(2, 2), 3 * torch.ones(2, 2)]).view(2, 1, 2, 2)
    # Norms 2 and 6 of a map alone, times sqrt(2) of both twins; the third is cut off by the ReLU.
    observed = observe("independence", module, images, batch_size=1)["independence"]["0"]
    assert observed.tolist() == pytest.approx([4 * (2**0.5 - 1), 4 * (2**0.5 - 1), 0], abs=1e-6)
