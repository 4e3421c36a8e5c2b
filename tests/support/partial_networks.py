"""A network that cannot be traced whole: which boxes its head sees depends on the numbers in the image."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Backbone(nn.Module):
    """Two levels of features, by name; the second level's inner channels may go."""

    def __init__(self, norm: type[nn.Module]) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 6, 3, padding=1, bias=False), norm(6)
        self.deep, self.deeper = nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.fine, self.coarse = nn.Conv2d(6, 4, 1), nn.Conv2d(8, 4, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        fine = self.norm(self.stem(images)).relu()
        deep = self.deep(fine).relu()
        deep = deep + self.deeper(deep).relu()
        return {"fine": self.fine(fine), "coarse": self.coarse(deep)}


class Head(nn.Module):
    """From the features of boxes to scores and shifts."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(features, 10), nn.Linear(10, 6)

    def forward(self, boxes: Tensor) -> Tensor:
        return self.second(self.first(boxes).relu()).relu()


class TinyDetector(nn.Module):
    """Takes the highest peaks of an objectness map, as many as exceed the mean, cuts out boxes and judges them.

    Returns (n, 5, 6) as detectors do: corners, score, label.
    """

    def __init__(self, norm: type[nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        self.backbone, self.objectness = Backbone(norm), nn.Conv2d(4, 1, 3, padding=1)
        self.head, self.scores = Head(4 * 4 * 4), nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        features = self.backbone(images)
        map_ = self.objectness(features["coarse"]) + self.objectness(features["coarse"].flip(-1))
        boxes, rows = [], []
        for n in range(len(images)):
            peaks = (map_[n, 0] > map_[n, 0].mean()).nonzero()[:5].tolist()
            for y, x in peaks:
                crop = functional.pad(features["fine"][n], (2, 2, 2, 2))[:, 2 * y : 2 * y + 4, 2 * x : 2 * x + 4]
                boxes.append(crop)
                rows.append((n, len([each for each in rows if each[0] == n]), y, x))
        return self._detections(images, torch.stack(boxes), rows)

    def _detections(self, images: Tensor, boxes: Tensor, rows: list[tuple[int, int, int, int]]) -> Tensor:
        scores = self.scores(self.head(boxes.flatten(1))).softmax(-1)
        found = images.new_zeros(len(images), 5, 6)
        for (n, place, y, x), score in zip(rows, scores, strict=True):
            corners = images.new_tensor([2 * x - 2, 2 * y - 2, 2 * x + 2, 2 * y + 2])
            found[n, place] = torch.cat([corners, score.max()[None], 1.0 + score.argmax()[None]])
        return found
