"""A network that cannot be traced whole: how many boxes its head sees depends on the numbers in the image."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Backbone(nn.Module):
    """Two levels of features, by name. Free are the channels of `stem`, and of the sum of `deep` and `deeper`."""

    def __init__(self, norm: type[nn.Module]) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(1, 6, 3, padding=1, bias=False), norm(6)
        self.deep, self.deeper = nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.fine, self.coarse = nn.Conv2d(6, 4, 1), nn.Conv2d(8, 4, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        fine = self.norm(self.stem(images)).relu()
        deep = self.deep(fine).relu()
        fine = self.fine(fine)
        return {"fine": fine, "coarse": self.coarse(deep + self.deeper(deep).relu())}


class Head(nn.Module):
    """From the features of boxes (boxes, 16) to those that scores are made of; free are the channels of `first`."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 10), nn.Linear(10, 6)

    def forward(self, boxes: Tensor) -> Tensor:
        return self.second(self.first(boxes).relu()).relu()


class TinyDetector(nn.Module):
    """Cuts out boxes where an objectness map, summed over the levels, is positive, at most 5, and judges them.

    Returns (n, 5, 6) as detectors do: corners, score, label; or the logits of `classes` for each image.
    """

    def __init__(self, norm: type[nn.Module] = nn.BatchNorm2d, classes: int | None = None) -> None:
        super().__init__()
        self.backbone, self.objectness = Backbone(norm), nn.Conv2d(4, 1, 3, padding=1)
        self.head, self.scores = Head(), nn.Linear(6, classes or 2)
        self.classes = classes

    def forward(self, images: Tensor) -> Tensor:
        fine, coarse = self.backbone(images).values()
        objectness = self.objectness(coarse) + self.objectness(functional.max_pool2d(fine, 2))
        peaks = [(each[0] > 0).nonzero()[:5].tolist() for each in objectness]
        boxes = [fine[n, :, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2] for n, found in enumerate(peaks) for y, x in found]
        features = self.head(torch.stack(boxes).flatten(1) if boxes else fine.new_zeros(0, 16))
        scores = self.scores(features).split([len(found) for found in peaks])
        if self.classes is not None:
            return torch.stack([each.sum(0) for each in scores])
        detections = images.new_zeros(len(images), 5, 6)
        for n, (found, rows) in enumerate(zip(peaks, scores, strict=True)):
            for place, ((y, x), row) in enumerate(zip(found, rows.softmax(-1), strict=True)):
                corners = images.new_tensor([2 * x, 2 * y, 2 * x + 2, 2 * y + 2])
                detections[n, place] = torch.cat([corners, row.max()[None], 1.0 + row.argmax()[None]])
        return detections


def tiny_detector(**options: object) -> nn.Module:
    """One whose norm has statistics, in evaluation mode; always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = TinyDetector(**options).eval()
        nn.init.constant_(model.objectness.bias, 0.5)  # so that there are boxes
        for name, tensor in model.backbone.norm.state_dict().items():
            if name != "num_batches_tracked":
                tensor.uniform_(0.5, 1.5)
    return model


def tiny_classifier() -> nn.Module:
    """One that sums the logits of ten classes over its boxes."""
    return tiny_detector(classes=10)
