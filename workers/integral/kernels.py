"""Interpolation kernels: the weight of a sample as a function of the distance from it.

A kernel is a differentiable function of a tensor of distances; `interpolation` applies it to samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

CUBIC_A = -0.75
"""The free parameter of cubic convolution; this value is that of torch's bicubic interpolation."""


@runtime_checkable
class Kernel(Protocol):
    """A kernel u(s) and the properties that interpolation needs.

    Attributes:
        sums_to_one: Kernels at whole distances from any point sum to 1, so that constants come back as they are.
        interpolating: u is 1 at 0 and 0 at the other whole numbers, so that coefficients are samples.
    """

    sums_to_one: ClassVar[bool]
    interpolating: ClassVar[bool]

    @property
    def half_width(self) -> int:
        """Distance in whole samples beyond which u(s) is zero."""

    def __call__(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The kernel u(s).

        Args:
            distance: Distances s from the sample, in samples, of either sign.
        """


def cubic_convolution(distance: Float[Tensor, "*any"], a: float = CUBIC_A) -> Float[Tensor, "*any"]:
    """The cubic convolution kernel u(s); zero from a distance of 2 on.

    Source: Keys 1981, equation 15 (there with a = -1/2); INN, section 3.1.

    Args:
        distance: Distance from the sample, in samples.
        a: Slope of the kernel at distance 1.
    """
    s = distance.abs()
    inner = ((a + 2) * s - (a + 3)) * s * s + 1
    outer = ((a * s - 5 * a) * s + 8 * a) * s - 4 * a
    return torch.where(s <= 1, inner, torch.where(s < 2, outer, torch.zeros_like(s)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """The hat: 1 - |s|. See `Kernel`."""

    half_width: ClassVar[int] = 1
    sums_to_one: ClassVar[bool] = True
    interpolating: ClassVar[bool] = True

    def __call__(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The kernel u(s)."""
        return (1 - distance.abs()).clamp_min(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cubic:
    """Cubic convolution. See `Kernel` and `cubic_convolution`.

    Attributes:
        a: Slope at distance 1. -1/2 reproduces quadratics (Keys 1981), -3/4 is torch's.
    """

    a: float = CUBIC_A
    half_width: ClassVar[int] = 2
    sums_to_one: ClassVar[bool] = True
    interpolating: ClassVar[bool] = True

    def __call__(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The kernel u(s)."""
        return cubic_convolution(distance, self.a)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanczos:
    """The sinc, windowed by the main lobe of a wider one: sinc(s) sinc(s / w). See `Kernel`.

    Source: Duchon 1979, "Lanczos filtering in one and two dimensions". The weights of a point do not quite sum to 1;
    `interpolation` divides by their sum.

    Attributes:
        half_width: w, the order.
    """

    half_width: int
    sums_to_one: ClassVar[bool] = False
    interpolating: ClassVar[bool] = True

    def __call__(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The kernel u(s)."""
        inside = distance.abs() < self.half_width
        window = torch.sinc(distance) * torch.sinc(distance / self.half_width)
        return torch.where(inside, window, torch.zeros_like(distance))


@dataclass(frozen=True, slots=True, kw_only=True)
class BSpline:
    """The cubic B-spline: twice continuously differentiable, but not interpolating by itself. See `Kernel`.

    Source: Unser 1999, "Splines: a perfect fit for signal and image processing".
    """

    half_width: ClassVar[int] = 2
    sums_to_one: ClassVar[bool] = True
    interpolating: ClassVar[bool] = False

    def __call__(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """The kernel u(s)."""
        s = distance.abs()
        inner = 2 / 3 - s * s * (1 - s / 2)
        outer = (2 - s).clamp_min(0) ** 3 / 6
        return torch.where(s <= 1, inner, outer)


CUBIC = Cubic()
"""The default kernel of integral networks."""

KERNELS: Mapping[str, Kernel] = {
    "linear": Linear(),
    "cubic": CUBIC,
    "keys": Cubic(a=-0.5),
    "lanczos2": Lanczos(half_width=2),
    "lanczos3": Lanczos(half_width=3),
    "bspline": BSpline(),
}
"""The kernels by name."""
