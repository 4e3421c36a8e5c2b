"""The state of a training: all that its next batch depends on, saved and restored bit for bit.

State of a network outside of its parameters and buffers is not included.
"""

from collections.abc import Mapping
from dataclasses import asdict

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from jobs.metric import Metric
from jobs.spec.training import Recipe
from workers.checkpoints import Progress, UnfitProgressError, check_fit, optimizer_tensors, restore_optimizer
from workers.training.log import EpochLog, TrainingLog
from workers.training.regulariser import Regulariser


class TrainingState:
    """A training between two batches, updated by the loop.

    Args:
        model: The model, on its device.
        optimizer: Optimizer of the model's parameters.
        recipe: The recipe.
        generators: Name -> generator; `batches` draws the order of the samples.
        num_samples: Samples per epoch.
        regulariser: Regulariser of the model.
        primary: The metric that selects the best epoch.

    Attributes:
        epoch: The present epoch; the schedule's first is 1.
        step: Number of its batches so far.
        total: Sum of the minimised loss over its samples so far.
        seen: Number of its samples so far.
        finished: The finished epochs.
        best: The model's `state_dict` after the best of those; empty before the first.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        recipe: Recipe,
        generators: Mapping[str, torch.Generator],
        num_samples: int,
        regulariser: Regulariser,
        primary: Metric,
    ) -> None:
        self.model, self.optimizer, self.recipe, self.generators = model, optimizer, recipe, generators
        self.regulariser, self._primary = regulariser, primary
        self._num_samples = num_samples
        self.epoch, self.step, self.total, self.seen = recipe.begin + 1, 0, 0.0, 0
        self.finished: list[EpochLog] = []
        self.best: dict[str, Tensor] = {}
        self._order: Tensor | None = None
        self._seed = 0

    @property
    def where(self) -> str:
        """The position, for people."""
        return f"epoch {self.epoch}, after {self.step} steps"

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def set_learning_rate(self, value: float) -> None:
        """Set the learning rate of the following steps."""
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def order(self) -> Int64[Tensor, " n"]:
        """The order of the samples in this epoch; drawn on first use."""
        if self._order is None:
            batches = self.generators["batches"]
            self._order = torch.randperm(self._num_samples, generator=batches)
            # Of a copy, so that what is drawn next does not depend on it.
            self._seed = int(torch.randint(2**63 - 1, (), generator=batches.clone_state()))
        return self._order

    def reading_seed(self) -> int:
        """The seed of what is drawn for single samples in this epoch; drawn with the order."""
        self.order()
        return self._seed

    @property
    def log(self) -> TrainingLog:
        """The finished epochs, at least one."""
        return TrainingLog(epochs=tuple(self.finished), primary=self._primary)

    def finish_epoch(self, log: EpochLog) -> None:
        """Finish the epoch; if it is the best so far, its weights are kept."""
        self.finished.append(log)
        if self.log.best is log:
            self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self.epoch, self.step, self.total, self.seen, self._order = self.epoch + 1, 0, 0.0, 0, None

    def progress(self) -> Progress:
        """The current progress, for a checkpoint."""
        return Progress(
            where=self.where,
            tensors={
                "model": _tensors(self.model),
                "optimizer": optimizer_tensors(self.optimizer),
                "generators": _states(self.generators),
                "regulariser": self.regulariser.tensors(),
                "order": {} if self._order is None else {"epoch": self._order, "seed": torch.tensor(self._seed)},
                "best": self.best,
            },
            record={
                "recipe": self.recipe.model_dump(mode="json"),
                "epoch": self.epoch,
                "step": self.step,
                "total": self.total,
                "seen": self.seen,
                "finished": [asdict(each) for each in self.finished],
                "learning_rate": self.learning_rate,
                "num_samples": self._num_samples,
            },
        )

    def restore(self, progress: Progress) -> None:
        """Resume from the progress of the same training.

        Raises:
            KeyError, TypeError, ValueError: It belongs to another training; nothing is changed.
        """
        tensors, record = progress.tensors, progress.record
        if record["recipe"] != self.recipe.model_dump(mode="json"):
            raise UnfitProgressError(f"it is of another recipe: {record['recipe']}")
        if record["num_samples"] != self._num_samples:
            raise UnfitProgressError(f"it is of {record['num_samples']} samples; there are {self._num_samples}")
        model, generators, state = _tensors(self.model), _states(self.generators), self.model.state_dict()
        check_fit("model", tensors["model"], model)
        check_fit("generators", tensors["generators"], generators)
        check_fit("regulariser", tensors["regulariser"], self.regulariser.tensors())
        if tensors["best"]:
            check_fit("best epoch", tensors["best"], state)
        order = tensors["order"].get("epoch")
        seed = 0 if order is None else int(tensors["order"]["seed"])
        finished = [EpochLog(**each) for each in record["finished"]]
        position = record["epoch"], record["step"], record["total"], record["seen"]
        learning_rate = record["learning_rate"]
        restore_optimizer(self.optimizer, tensors["optimizer"])  # checks before it changes anything
        with torch.no_grad():
            for name, tensor in model.items():
                tensor.copy_(tensors["model"][name])
            for name, tensor in self.regulariser.tensors().items():
                tensor.copy_(tensors["regulariser"][name])
        for name, generator in self.generators.items():
            generator.set_state(tensors["generators"][name])
        self.set_learning_rate(learning_rate)
        self.epoch, self.step, self.total, self.seen = position
        self.finished, self._order, self._seed = finished, order, seed
        self.best = {name: tensor.to(state[name].device) for name, tensor in tensors["best"].items()}


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, including non-persistent ones."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _states(generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    return {name: generator.get_state() for name, generator in generators.items()}
