"""Networks of digits whose layers are not in single precision; named in a recipe as `typed_networks:NAME`."""

from torch import Tensor, nn


class _Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.linear = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 6, 3), nn.Linear(6, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.last(self.first(x).relu()).relu().mean((2, 3)))


class Doubled(_Layers):
    """Takes images of any type, and computes in double precision."""

    def __init__(self) -> None:
        super().__init__()
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.double()).float()


class Mixed(_Layers):
    """One layer computes in bfloat16."""

    def __init__(self) -> None:
        super().__init__()
        self.last.bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.last(self.first(x).relu().bfloat16()).relu().mean((2, 3)).float())


class Halved(_Layers):
    """All in bfloat16, its outputs, too; takes nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.bfloat16()


class Unusable(_Layers):
    """Refuses whatever it is given."""

    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("not with these images")


TYPED = ("Doubled", "Mixed", "Halved")
