"""Networks with something in them that stands in pruning's way; named in a recipe as `obstacle_networks:NAME`."""

import torch
from torch import Tensor, nn


class Competing(nn.Module):
    """A softmax over the first layer's channels; the second layer's are free."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.linear = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 6, 3), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.second(self.first(x).softmax(1)).relu().mean((2, 3)))


class Shuffling(nn.Module):
    """A grouped convolution and a channel shuffle with its sizes written down."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.grouped = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, groups=2)
        self.last, self.linear = nn.Conv2d(8, 6, 1), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.grouped(self.first(x).relu())
        x = x.reshape(-1, 2, 4, 4, 4).transpose(1, 2).reshape(-1, 8, 4, 4)
        return self.linear(self.last(x).relu().mean((2, 3)))


class Attending(nn.Module):
    """Group norm, and attention between positions over the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 8, 3, stride=2), nn.GroupNorm(2, 8)
        self.qkv, self.mix, self.linear = nn.Linear(8, 24), nn.Linear(8, 6), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.stem(x)).flatten(2).transpose(1, 2)
        query, key, value = self.qkv(tokens).chunk(3, -1)
        tokens = (query @ key.transpose(1, 2)).softmax(-1) @ value
        return self.linear(self.mix(tokens).relu().mean(1))


class Shared(nn.Module):
    """One convolution, twice; the layer behind it is frozen, which is no obstacle."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.again = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, padding=1)
        self.last, self.linear = nn.Conv2d(8, 6, 3).requires_grad_(False), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(self.again(self.stem(x).relu()).relu())
        return self.linear(self.last(x).relu().mean((2, 3)))


class Casting(nn.Module):
    """Computes in single precision, whatever it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)
        self.last, self.linear = nn.Conv2d(8, 6, 3), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.first(x.float())).relu()
        return self.linear(self.last(x).relu().mean((2, 3)).to(torch.float32))


class Unprunable(nn.Module):
    """Nothing but a softmax over all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.only, self.linear = nn.Conv2d(1, 8, 3), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(torch.softmax(self.only(x), 1).mean((2, 3)))


class Emptied(nn.Module):
    """A layer without a channel."""

    def __init__(self):
        super().__init__()
        self.nothing = nn.Linear(64, 0)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(x.flatten(1))


class Branching(nn.Module):
    """Goes one of two ways, by what it sees: no graph can."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.linear(x.flatten(1))
        return outputs if float(x.sum()) > 0 else -outputs


class Comparing(nn.Module):
    """Takes two images."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, image: Tensor, other: Tensor) -> Tensor:
        return self.linear((image - other).flatten(1))


class _Biasless(nn.Conv2d):
    """It has no use for a bias."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv2d(x, self.weight)


class Unfoldable(nn.Module):
    """A layer that computes without the bias that folding gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.linear = _Biasless(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.norm(self.first(x)).relu().mean((2, 3)))


class WithoutConvolutions(nn.Module):
    """Linear layers alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.linear = nn.Linear(64, 6), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.first(x.flatten(1)).relu())
