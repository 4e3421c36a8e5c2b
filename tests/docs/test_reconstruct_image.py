"""The example of docs/examples: pictures of few pixels, in double precision."""

import pytest
import torch
from PIL import Image

from workers.integral.partition import nodes_of

EXAMPLE = "reconstruct_image"
DOUBLE = torch.float64


def waves(height, width):
    """Waves that get shorter to the right and downwards: equal cells are too wide at one end, too narrow at the other.

    The phase depends on x and y together, so that no separable partition suits every row. Two channels.
    """
    y = (torch.arange(height, dtype=DOUBLE)[:, None] + 0.5) / height
    x = (torch.arange(width, dtype=DOUBLE) + 0.5) / width
    phase = 9 * (x**2 + y**2 + x * y / 2)
    return torch.stack([0.5 + 0.4 * phase.sin(), 0.5 + 0.4 * phase.cos()], dim=-1)


def partition(example, name, rows, columns):
    return example.CONTENDERS[name].partition(rows, columns).double()


every_contender = pytest.mark.parametrize("name", ["uniform", "separable", "non-separable"])
every_trained = pytest.mark.parametrize("name", ["separable", "non-separable"])


def test_nodes_are_whole_numbers_and_cells_end_half_way(example):
    cells = torch.tensor([0.125, 0.5, 0.375], dtype=DOUBLE)
    # Of 16 pixels the first cell holds 2, the second 8 and the third 6.
    expected = [-0.25, 0.25, *(0.5 + (k + 0.5) / 8 for k in range(8)), *(1.5 + (k + 0.5) / 6 for k in range(6))]
    coordinates = example.node_coordinates(cells, 16)
    assert coordinates.tolist() == pytest.approx(expected)
    assert nodes_of(cells)[1].item() == 6 / 16
    assert coordinates[5:7].mean().item() == pytest.approx(1)  # pixels 5 and 6 touch at 6/16


def test_partitions_of_many_lines_are_independent(example):
    cells = torch.tensor([[0.25, 0.75], [0.5, 0.5]], dtype=DOUBLE)
    both = example.node_coordinates(cells, 4)
    assert torch.equal(both, torch.stack([example.node_coordinates(line, 4) for line in cells]))


@every_contender
def test_as_many_coefficients_as_pixels_give_the_image_back(example, name):
    image = torch.rand(6, 9, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    picture = example.reconstruct(partition(example, name, 6, 9), image, steps=0)
    # Interpolation is exact; a ridge of 1e-6 takes 1e-6 of every value, which is -120 dB.
    assert example.signal_to_noise(picture, image) > 115


def test_a_non_separable_partition_of_equal_lines_is_a_separable_one(example):
    image = waves(14, 17)
    separable, free = partition(example, "separable", 5, 7), partition(example, "non-separable", 5, 7)
    with torch.no_grad():
        separable.heights += torch.linspace(0, 0.4, 5)
        separable.widths -= torch.linspace(0, 0.3, 7)
        free.heights.copy_(separable.heights.expand(7, 5))
        free.widths.copy_(separable.widths.expand(5, 7))
        torch.testing.assert_close(free(image), separable(image), rtol=0, atol=1e-5)  # the ridge is not the same


@every_trained
def test_the_derivative_is_that_of_the_error_at_the_best_coefficients(example, name):
    image, cells = waves(14, 17), partition(example, name, 5, 6)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for delta in cells.parameters():
            delta.add_(torch.rand(delta.shape, dtype=DOUBLE, generator=generator), alpha=0.2)

    def error():
        return (cells(image) - image).square().sum()

    error().backward()
    for delta in cells.parameters():
        step = 1e-5 * torch.randn(delta.shape, dtype=DOUBLE, generator=generator)
        with torch.no_grad():
            delta.add_(step)
            ahead = error()
            delta.sub_(step, alpha=2)
            behind = error()
            delta.add_(step)
        expected = (delta.grad * 2 * step).sum().item()
        assert (ahead - behind).item() == pytest.approx(expected, rel=1e-3)


@every_trained
def test_training_moves_cells_to_where_the_detail_is(example, name):
    image, cells = waves(20, 20), partition(example, name, 6, 6)
    before = example.signal_to_noise(cells(image), image)
    after = example.signal_to_noise(example.reconstruct(cells, image, steps=30), image)
    assert after > before + 1  # dB
    for cells_along in (cells.heights, cells.widths):
        first, *_, last = cells_along.square().reshape(-1, 6).mean(0)
        assert last < first


@every_trained
def test_training_is_never_worse_than_equal_cells(example, name, monkeypatch):
    monkeypatch.setattr(example, "LEARNING_RATE", 0.9)  # cells all but vanish
    image = waves(12, 12)
    equal = example.signal_to_noise(partition(example, name, 5, 5)(image), image)
    assert example.signal_to_noise(example.reconstruct(partition(example, name, 5, 5), image, steps=3), image) >= equal


@pytest.mark.parametrize(
    ("name", "grid"), [("uniform", (32, 32)), ("separable", (31, 32)), ("non-separable", (24, 25))]
)
def test_positions_cost_coefficients(example, name, grid):
    # Of 3 * 32 * 32 = 3072 parameters: 3072; 3 * 31 * 32 + 31 + 32 = 3039; (3 + 2) * 24 * 25 = 3000.
    contender = example.CONTENDERS[name]
    assert contender.largest_grid(3, 3072) == grid
    trained = [] if name == "uniform" else contender.partition(*grid).parameters()
    rows, columns = grid
    assert contender.parameters(*grid, 3) == 3 * rows * columns + sum(delta.numel() for delta in trained)


@pytest.mark.parametrize(("options", "parameters"), [([], 3 * 36), (["--grey"], 36)])
def test_it_runs_from_photograph_to_picture(example, options, parameters, tmp_path, capsys):
    pixels = (255 * waves(20, 24)).to(torch.uint8)[:, :, [0, 1, 0]]
    Image.fromarray(pixels.numpy()).save(tmp_path / "photograph.png")
    out = tmp_path / "picture.png"
    sizes = ["--size", "16", "--grid", "6", "--steps", "2"]
    example.main([str(tmp_path / "photograph.png"), "--out", str(out), *sizes, *options])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["uniform", "separable", "non-separable"]
    assert all(line.endswith(f"of {parameters} parameters") for line in lines)
    with Image.open(out) as picture:
        assert picture.width > 3 * picture.height  # four side by side
