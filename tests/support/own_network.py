"""Networks of the user's own classes."""

from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

WAYS = {
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "old weight norm": weight_norm,
    "old spectral norm": spectral_norm,
}
"""Ways to compute a weight in every pass."""


class Own(nn.Module):
    """A stem whose norm can be folded, a depthwise convolution, a layer norm if wanted."""

    def __init__(self, width: int = 8, classes: int = 3, layer_norm: bool = True) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.point = nn.Conv2d(width, 2 * width, 1)
        self.last = nn.LayerNorm(2 * width) if layer_norm else nn.Identity()
        self.head = nn.Linear(2 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.point(self.depthwise(self.norm(self.stem(images)).relu()).relu())
        return self.head(self.last(features.mean((2, 3))))


class Around(nn.Module):
    """Takes the first layers of `Own`, and has others behind them."""

    def __init__(self, *, backbone: Own, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(backbone.stem, backbone.norm, nn.ReLU())
        self.norm = nn.BatchNorm2d(backbone.stem.out_channels)
        self.last = nn.Conv2d(backbone.stem.out_channels, outputs, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.norm(self.body(images))).mean((2, 3))


class Further(nn.Module):
    """Goes on behind `Around`."""

    def __init__(self, *, backbone: Around) -> None:
        super().__init__()
        self.first, self.second = backbone, nn.Linear(backbone.last.out_channels, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.first(images))


class Computed(nn.Module):
    """Computes its first weight in every pass."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.first, self.last = WAYS[way](nn.Conv2d(1, 6, 3, padding=1)), nn.Conv2d(6, 2, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.first(images).relu()).mean((2, 3))
