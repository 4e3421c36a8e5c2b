"""A small network with a layer of every kind, and images for it."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.data import ImageData, Split


class EveryLayer(nn.Module):
    """Convolutions of all kinds, norms of all kinds, a shortcut, a concatenation, an MLP on tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.Hardswish())
        self.expand = nn.Sequential(nn.Conv2d(8, 12, 1), nn.GroupNorm(4, 12), nn.GELU())
        self.grouped = nn.Conv2d(12, 12, 3, padding=1, groups=2)
        self.project = nn.Conv2d(12, 8, 1)
        self.down = nn.Sequential(nn.Conv2d(8, 10, 3, stride=2, padding=1), nn.BatchNorm2d(10), nn.PReLU(10))
        self.up = nn.ConvTranspose2d(10, 6, 2, stride=2)
        self.join = nn.Conv2d(14, 12, 1)
        self.norm = nn.LayerNorm(12)
        self.mlp = nn.Sequential(nn.Linear(12, 16), nn.SiLU(), nn.Dropout(0.1), nn.Linear(16, 12))
        self.head = nn.Linear(12, 4)

    def forward(self, images: Tensor) -> Tensor:
        stream = self.stem(images)
        stream = stream + self.project(self.grouped(self.expand(self.depthwise(stream))).relu())
        stream = self.join(torch.cat((stream, self.up(self.down(stream))), 1)).relu()
        tokens = self.norm(functional.max_pool2d(stream, 2).flatten(2).transpose(1, 2))
        return self.head((tokens + self.mlp(tokens)).mean(1))


def images(root: None) -> ImageData:
    """Noise, the brighter the higher the class."""
    pixels = torch.rand(96, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(96) % 4
    pixels += 0.3 * targets.view(-1, 1, 1, 1) / 4

    def split(begin: int, end: int) -> Split:
        return Split(images=pixels[begin:end], targets=targets[begin:end])

    return ImageData(
        train=split(0, 48), validation=split(48, 72), test=split(72, 96), num_classes=4, input_shape=(3, 8, 8)
    )
