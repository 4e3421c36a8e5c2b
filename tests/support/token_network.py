"""A network that takes tokens and a mask by name, and returns a dataclass."""

from dataclasses import dataclass

from torch import Tensor, nn

from jobs.spec.inputs import TensorSpec
from workers.inputs import InputSpec

INPUTS = InputSpec.of(
    {"tokens": TensorSpec(shape=(5,), dtype="int64", high=20), "mask": TensorSpec(shape=(5,), dtype="bool")}
)


@dataclass
class Answer:
    """Logits, and the mean of the features that they were computed from."""

    logits: Tensor
    features: Tensor


class Tokens(nn.Module):
    """An embedding, a hidden layer at every place, the mean over the places of the mask, an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.hidden = nn.Embedding(20, 4), nn.Linear(4, 8)
        self.back, self.answer = nn.Linear(8, 4), nn.Linear(4, 3)

    def forward(self, *, tokens: Tensor, mask: Tensor) -> Answer:
        features = self.back(self.hidden(self.embedding(tokens)).relu())
        weights = mask.unsqueeze(-1).to(features)
        features = (features * weights).sum(1) / weights.sum(1).clamp_min(1)
        return Answer(logits=self.answer(features), features=features)
