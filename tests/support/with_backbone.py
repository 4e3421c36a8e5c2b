"""A network that is built around a classifier."""

import torch
from torch import Tensor, nn


class WithBackbone(nn.Module):
    """The layers of `plain` up to its last features, and a network of its own behind: an image of the same size."""

    def __init__(self, backbone: nn.Module, width: int) -> None:
        super().__init__()
        self.backbone = backbone.features
        channels = backbone.linear.in_features
        self.head = nn.Sequential(nn.Conv2d(channels, width, 1), nn.ReLU(), nn.Conv2d(width, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))


def with_backbone(*, backbone: nn.Module, width: int) -> nn.Module:
    """The network."""
    return WithBackbone(backbone, width)


def brightened(root: str | None) -> object:
    """Digits, and as targets the same with more light."""
    from workers.data import ImageData, Split, load_dataset

    digits = load_dataset("digits")

    def split(of: Split) -> Split:
        images = of.images[:64]
        return Split(images=images, targets=torch.clamp(images * 1.5, max=1))

    return ImageData(
        train=split(digits.train), validation=split(digits.validation), test=split(digits.test), input_shape=(1, 8, 8)
    )


def brightening() -> object:
    """From an image to another one: mean squared error."""
    from torch.nn import functional
    from torchmetrics import MeanSquaredError

    from jobs.metric import Metric
    from workers.objectives import Objective, check_batch, over_samples

    def loss(outputs: Tensor, targets: Tensor, *, reduction: str = "mean") -> Tensor:
        return over_samples(functional.mse_loss(outputs, targets, reduction="none"), reduction)

    return Objective(
        name="brightening",
        metrics={Metric(name="mse", label="MSE", direction="lower"): MeanSquaredError},
        loss=loss,
        difference=functional.mse_loss,
        check=check_batch,
    )


def one_size(*, widths: list[int]) -> nn.Module:
    """The network `plain` for grey images without pooling, so that its features have the size of the image."""
    from workers.models import build

    network = build("plain", {"widths": widths, "in_channels": 1})
    network.features = nn.Sequential(*(each for each in network.features if not isinstance(each, nn.MaxPool2d)))
    return network
