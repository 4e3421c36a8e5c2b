"""A photograph as a continuous function with few coefficients: equal cells, or cells that move to where the detail is.

Figure 8 of *Integral Neural Networks* (INN): F(x, y) = sum_ij c_ij u(s(x, y) - i) u(t(x, y) - j) with the cubic
convolution u, at the same number of parameters with three partitions of the picture into cells, one per coefficient:
uniform; separable (trained heights of rows and widths of columns); non-separable (every cell has its own). Positions
count as parameters, so that whoever trains them gets fewer coefficients. Run it from the repository's root:

    .venv/bin/python docs/examples/reconstruct_image.py [PHOTOGRAPH] [--out PICTURE]

It is about interpolation alone, without networks: see reconstruct_image.md.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageOps
from torch import Tensor, nn

from workers.integral.interpolation import interpolation_matrix
from workers.integral.kernels import KERNELS
from workers.integral.partition import cells_of

LEARNING_RATE = 0.03
RIDGE = 1e-6
"""Keeps least squares solvable where a cell has become so narrow that no pixel sees its coefficient."""


def node_coordinates(cells: Float[Tensor, "*lines m"], pixels: int) -> Float[Tensor, "*lines pixels"]:
    """Where the middles of equal pixels lie among the nodes of partitions of [0, 1]. Differentiable in the cells.

    Cell j maps linearly onto [j - 1/2, j + 1/2], so that the node in its middle is the whole number j: the
    piecewise-linear inverse of the partition.

    Args:
        cells: Widths of the m cells of each partition, positive, of sum 1.
        pixels: How many fill [0, 1].
    """
    middles = (torch.arange(pixels, dtype=cells.dtype) + 0.5) / pixels
    middles = middles.expand(*cells.shape[:-1], pixels).contiguous()
    ends = cells.cumsum(-1)
    cell = torch.searchsorted(ends.detach(), middles).clamp_max(cells.shape[-1] - 1)
    from_start: Tensor = middles - (ends - cells).gather(-1, cell)
    return cell - 0.5 + from_start / cells.gather(-1, cell)


def least_squares(design: Float[Tensor, "p n"], values: Float[Tensor, "p d"]) -> Float[Tensor, "n d"]:
    """The coefficients c for which design @ c comes closest to the values, by the normal equations."""
    normal = design.T @ design
    normal.diagonal().add_(RIDGE)
    coefficients: Tensor = torch.linalg.solve(normal, design.T @ values)
    return coefficients


class Separable(nn.Module):
    """Every row of cells has its height and every column its width; they start equal, which is the uniform partition.

    Args:
        rows: n.
        columns: m.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.heights = nn.Parameter(torch.ones(rows))
        self.widths = nn.Parameter(torch.ones(columns))

    def forward(self, image: Float[Tensor, "height width c"]) -> Float[Tensor, "height width c"]:
        """The closest picture to the image: coefficients by least squares, one axis after the other."""
        height, width, _ = image.shape
        rows, columns = len(self.heights), len(self.widths)
        down = interpolation_matrix(node_coordinates(cells_of(self.heights), height), rows)
        along = interpolation_matrix(node_coordinates(cells_of(self.widths), width), columns)
        with torch.no_grad():
            by_row = least_squares(down, image.flatten(1)).unflatten(1, (width, -1))
            coefficients = least_squares(along, by_row.transpose(0, 1).flatten(1)).unflatten(1, (rows, -1))
        return torch.einsum("yi,xj,jic->yxc", down, along, coefficients)


class NonSeparable(nn.Module):
    """Every cell has a width and a height of its own: those of a row of cells fill [0, 1], those of a column as well.

    Between the middles of two rows the widths change linearly from those of one to those of the other, so that nodes
    stay in order along both axes. The separable partition is the case that all rows, and all columns, are alike.

    Args:
        rows: n.
        columns: m.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.heights = nn.Parameter(torch.ones(columns, rows))
        self.widths = nn.Parameter(torch.ones(rows, columns))

    def forward(self, image: Float[Tensor, "height width c"]) -> Float[Tensor, "height width c"]:
        """The closest picture to the image: all coefficients at once by least squares."""
        height, width, channels = image.shape
        columns, rows = self.heights.shape
        t = node_coordinates(_between_lines(torch.vmap(cells_of)(self.widths), height), width)
        s = node_coordinates(_between_lines(torch.vmap(cells_of)(self.heights), width), height).T
        down, along = interpolation_matrix(s.flatten(), rows), interpolation_matrix(t.flatten(), columns)
        with torch.no_grad():
            design = (down[:, :, None] * along[:, None, :]).flatten(1)
            coefficients = least_squares(design, image.flatten(0, 1)).reshape(rows, columns * channels)
        by_row = (down @ coefficients).unflatten(1, (columns, channels))
        picture: Tensor = (by_row * along[:, :, None]).sum(1)
        return picture.reshape(image.shape)


def _between_lines(cells: Float[Tensor, "n m"], pixels: int) -> Float[Tensor, "pixels m"]:
    """The partition at every pixel across n lines of cells; still positive and of sum 1."""
    across = node_coordinates(torch.full((len(cells),), 1 / len(cells), dtype=cells.dtype), pixels)
    return interpolation_matrix(across, len(cells), KERNELS["linear"]) @ cells


def signal_to_noise(picture: Float[Tensor, "height width c"], image: Float[Tensor, "height width c"]) -> float:
    """PSNR in dB of the picture as it would be shown, its values cut to [0, 1]."""
    error = (picture.detach().clamp(0, 1) - image).square().mean()
    return float(-10 * error.log10())


def reconstruct(
    partition: nn.Module, image: Float[Tensor, "height width c"], steps: int
) -> Float[Tensor, "height width c"]:
    """The best picture that was met while the cells were trained by Adam; without steps that of the cells as they are.

    The loss is the squared error at the best coefficients, whose derivative is that with the coefficients held fixed
    (variable projection, Golub and Pereyra 1973): so only cells are trained, and coefficients are always exact.

    Args:
        partition: `Separable` or `NonSeparable`; trained in place.
        image: Values in [0, 1].
        steps: Of Adam, with a learning rate that falls to zero as a cosine.
    """
    optimizer = torch.optim.Adam(partition.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    picture: Tensor = partition(image)
    best = picture.detach()
    for _ in range(steps):
        optimizer.zero_grad()
        (picture - image).square().mean().backward()
        optimizer.step()
        schedule.step()
        picture = partition(image)
        best = max(best, picture.detach(), key=lambda seen: signal_to_noise(seen, image))
    return best


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of the ways that are compared, by a grid of n × m coefficients.

    Attributes:
        partition: Makes it from n and m.
        positions: The parameters that place n × m nodes, by n and m; none where they stay.
    """

    partition: Callable[[int, int], nn.Module]
    positions: Callable[[int, int], int]

    def parameters(self, rows: int, columns: int, channels: int) -> int:
        """Positions and coefficients together."""
        return rows * columns * channels + self.positions(rows, columns)

    def largest_grid(self, channels: int, parameters: int) -> tuple[int, int]:
        """Rows and columns (as many, or one more) of the largest grid that has at most so many parameters."""
        grids = ((n, m) for n in range(1, parameters + 1) for m in (n, n + 1))
        return max(grid for grid in grids if self.parameters(*grid, channels) <= parameters)


CONTENDERS = {
    "uniform": Contender(partition=Separable, positions=lambda n, m: 0),
    "separable": Contender(partition=Separable, positions=lambda n, m: n + m),
    "non-separable": Contender(partition=NonSeparable, positions=lambda n, m: 2 * n * m),
}


def load_image(path: Path, size: int, grey: bool) -> Float[Tensor, "size size c"]:
    """The middle square of a photograph, scaled to size × size pixels, with values in [0, 1]."""
    with Image.open(path) as photograph:
        square = ImageOps.fit(photograph.convert("L" if grey else "RGB"), (size, size), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(square, dtype=np.float32) / 255).reshape(size, size, -1)


def draw(pictures: dict[str, Float[Tensor, "height width c"]], out: Path) -> None:
    """Write pictures side by side, each below its title, into a file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.3 * len(pictures), 2.6), dpi=100, layout="constrained")
    for axes, (title, picture) in zip(figure.subplots(1, len(pictures)), pictures.items(), strict=True):
        axes.imshow(picture.clamp(0, 1).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
        axes.set_title(title, fontsize=9)
        axes.axis("off")
    figure.savefig(out)


def default_photograph() -> Path:
    """A flower, which comes with scikit-learn.

    Raises:
        FileNotFoundError: scikit-learn is not installed.
    """
    package = find_spec("sklearn")  # importing it would take seconds
    if package is None or package.origin is None:
        raise FileNotFoundError("no photograph given, and the default one comes with scikit-learn: install that")
    return Path(package.origin).parent / "datasets" / "images" / "flower.jpg"


def main(arguments: list[str] | None = None) -> None:
    """Reconstruct one photograph in all three ways, print the PSNR of each and draw them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photograph", type=Path, nargs="?", help="the default is a flower")
    parser.add_argument("--out", type=Path, default=Path("reconstruct_image.png"), help="where the picture goes")
    parser.add_argument("--size", type=int, default=128, help="pixels along a side")
    parser.add_argument("--grid", type=int, default=32, help="coefficients along a side of the uniform partition")
    parser.add_argument("--steps", type=int, default=100, help="of training, for each partition that is trained")
    parser.add_argument("--grey", action="store_true", help="one value per coefficient, not three")
    options = parser.parse_args(arguments)
    if options.grid < 2:
        parser.error(f"--grid {options.grid}: a smaller grid than 2 x 2 leaves no parameters for positions")
    image = load_image(options.photograph or default_photograph(), options.size, options.grey)
    channels = image.shape[2]
    parameters = options.grid**2 * channels
    pictures = {f"original, {options.size} x {options.size}": image}
    for name, contender in CONTENDERS.items():
        rows, columns = contender.largest_grid(channels, parameters)
        steps = options.steps if contender.positions(rows, columns) else 0
        picture = reconstruct(contender.partition(rows, columns), image, steps)
        quality = f"{name}, {rows} x {columns}: {signal_to_noise(picture, image):.2f} dB"
        print(f"{quality} with {contender.parameters(rows, columns, channels)} of {parameters} parameters", flush=True)
        pictures[quality] = picture
    draw(pictures, options.out)


if __name__ == "__main__":
    main()
