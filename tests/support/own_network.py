"""A network of the user's own class."""

from torch import Tensor, nn


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
