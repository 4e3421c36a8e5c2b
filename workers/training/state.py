"""The state of a training: all that its next batch depends on, saved and restored bit for bit.

State of a network outside of its parameters and buffers is not included.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from jobs.errors import BadInputError, BadNumericsError
from jobs.metric import Metric
from jobs.spec.training import Recipe
from workers.checkpoints import Progress, UnfitProgressError, check_fit, optimizer_tensors, restore_optimizer
from workers.deferred import Deferred
from workers.training.average import MovingAverage
from workers.training.log import EpochLog, TrainingLog
from workers.training.regulariser import Regulariser

_ADVICE = "lower learning_rate or set warmup_epochs, and check that the data and the starting weights are finite"


class TrainingState:
    """A training between two batches, updated by the loop.

    Args:
        model: The model, on its device.
        optimizer: Optimizer of the model's parameters.
        recipe: The recipe.
        generators: Name -> generator; `batches` draws the order of the samples, the others are of kinds of devices,
            `cpu` always among them.
        num_samples: Samples per epoch.
        regulariser: Regulariser of the model.
        primary: The metric that selects the best epoch.
        device: Where the model computes.

    Attributes:
        epoch: The present epoch; the schedule's first is 1.
        num_samples: Samples per epoch.
        step: Number of its batches so far.
        total: Sum of the minimised loss over its samples so far, as far as the losses are read.
        seen: Number of these samples.
        losses: Takes the loss of every batch, with the number of samples and where it is.
        scaler: Scales losses for gradients in float16, and does nothing otherwise.
        average: The moving average of the weights; None without one.
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
        device: torch.device | str,
    ) -> None:
        self.model, self.optimizer, self.recipe, self.generators = model, optimizer, recipe, generators
        self.regulariser, self._primary = regulariser, primary
        self.num_samples = num_samples
        self.scaler = torch.amp.GradScaler(torch.device(device).type, enabled=recipe.precision == "float16")
        self.average = MovingAverage(model, recipe.ema) if recipe.ema is not None else None
        self.losses = Deferred[tuple[int, str]](device, self._take_loss)
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
    def num_steps(self) -> int:
        """Batches of an epoch."""
        return math.ceil(self.num_samples / self.recipe.batch_size)

    @property
    def steps_done(self) -> int:
        """Batches so far, of all epochs."""
        return (self.epoch - 1 - self.recipe.begin) * self.num_steps + self.step

    @property
    def epochs_done(self) -> int | float:
        """Epochs so far, with the part of the present one."""
        whole, more = divmod(self.steps_done, self.num_steps)
        return whole + more / self.num_steps if more else whole

    def goal(self, until: float | None) -> int:
        """The batches up to a fraction of all; None: all of them.

        Raises:
            BadInputError: That is no batch more than now, or all of them.
        """
        steps = (self.recipe.last_epoch - self.recipe.begin) * self.num_steps
        if until is None:
            return steps
        goal = round(until * steps)
        if not self.steps_done < goal < steps:
            before = f"step {self.steps_done}, where the rung before is" if self.steps_done else "its beginning"
            raise BadInputError(
                f"a rung at {until:g} of a training of {steps} steps falls on {before if goal < steps else 'its end'}; "
                "give `race.rungs` that are further apart"
            )
        return goal

    @property
    def next_batch(self) -> str:
        """The place of the batch that comes next, for people."""
        return f"epoch {self.epoch}, step {self.step + 1} of {self.num_steps}"

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def learnt(self) -> list[Tensor]:
        """All tensors that gradients reach."""
        parameters = (each for each in self.model.parameters() if each.requires_grad)
        return [*parameters, *self.regulariser.learnt().values()]

    def set_learning_rate(self, value: float) -> None:
        """Set the learning rate of the following steps."""
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def order(self) -> Int64[Tensor, " n"]:
        """The order of the samples in this epoch; drawn on first use."""
        if self._order is None:
            batches = self.generators["batches"]
            self._order = torch.randperm(self.num_samples, generator=batches)
            # Of a copy, so that what is drawn next does not depend on it.
            self._seed = int(torch.randint(2**63 - 1, (), generator=batches.clone_state()))
        return self._order

    def reading_seed(self) -> int:
        """The seed of what is drawn for single samples in this epoch; drawn with the order."""
        self.order()
        return self._seed

    def _take_loss(self, loss: float, place: tuple[int, str]) -> None:
        samples, where = place
        if not math.isfinite(loss):
            raise BadNumericsError(f"training: the loss is {loss} at {where}; {_ADVICE}")
        self.total += loss * samples
        self.seen += samples

    @property
    def ended(self) -> bool:
        """Whether no epoch is left, or the recipe's patience is at its end."""
        patience = self.recipe.patience
        out_of_patience = patience is not None and bool(self.finished) and self.log.epochs_in_vain >= patience
        return self.epoch > self.recipe.last_epoch or out_of_patience

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
        """The current progress, for a checkpoint.

        Raises:
            BadNumericsError: A loss so far was NaN or infinite.
        """
        self.losses.read()
        return Progress(
            where=self.where,
            tensors={
                "model": _tensors(self.model),
                "optimizer": optimizer_tensors(self.optimizer),
                "generators": _states(self.generators),
                "regulariser": self.regulariser.tensors(),
                "order": {} if self._order is None else {"epoch": self._order, "seed": torch.tensor(self._seed)},
                "best": self.best,
                "gradients": self._gradients(),
                "average": {} if self.average is None else self.average.tensors,
            },
            record={
                "recipe": self.recipe.model_dump(mode="json"),
                "epoch": self.epoch,
                "step": self.step,
                "total": self.total,
                "seen": self.seen,
                "finished": [asdict(each) for each in self.finished],
                "learning_rate": self.learning_rate,
                "num_samples": self.num_samples,
                "scaler": self.scaler.state_dict(),
                "average_updates": 0 if self.average is None else self.average.updates,
            },
        )

    def _gradients(self) -> dict[str, Tensor]:
        """Those of an update that has had some of its batches only."""
        if self.step % self.recipe.accumulate == 0:
            return {}
        found = {**dict(self.model.named_parameters()), **self.regulariser.learnt()}
        return {name: each.grad for name, each in found.items() if each.grad is not None}

    def restore(self, progress: Progress) -> None:
        """Resume from the progress of the same training, which may have run on another kind of device.

        Raises:
            KeyError, TypeError, ValueError: It belongs to another training; nothing is changed.
        """
        tensors, record = progress.tensors, progress.record
        if record["recipe"] != self.recipe.model_dump(mode="json"):
            raise UnfitProgressError(f"it is of another recipe: {record['recipe']}")
        if record["num_samples"] != self.num_samples:
            raise UnfitProgressError(f"it is of {record['num_samples']} samples; there are {self.num_samples}")
        model, generators, state = _tensors(self.model), _states(self.generators), self.model.state_dict()
        check_fit("model", tensors["model"], model)
        drawn_from = {name: kept for name, kept in tensors["generators"].items() if name in generators}
        needed = {"batches", "cpu", *drawn_from}
        check_fit("generators", drawn_from, {name: kept for name, kept in generators.items() if name in needed})
        check_fit("regulariser", tensors["regulariser"], self.regulariser.tensors())
        if tensors["best"]:
            check_fit("best epoch", tensors["best"], state)
        order = tensors["order"].get("epoch")
        seed = 0 if order is None else int(tensors["order"]["seed"])
        finished = [EpochLog(**each) for each in record["finished"]]
        position = record["epoch"], record["step"], record["total"], record["seen"]
        learning_rate, gradients = record["learning_rate"], tensors["gradients"]
        learnt = {**dict(self.model.named_parameters()), **self.regulariser.learnt()}
        check_fit("gradients", gradients, {name: learnt[name] for name in gradients})
        if self.average is not None:
            check_fit("average", tensors["average"], state)
        scaler, updates = record["scaler"], record["average_updates"]
        restore_optimizer(self.optimizer, tensors["optimizer"])  # checks before it changes anything
        with torch.no_grad():
            for name, tensor in model.items():
                tensor.copy_(tensors["model"][name])
            for name, tensor in self.regulariser.tensors().items():
                tensor.copy_(tensors["regulariser"][name])
        for name, gradient in gradients.items():
            learnt[name].grad = torch.empty_like(learnt[name], requires_grad=False).copy_(gradient)
        if self.average is not None:
            self.average.restore(tensors["average"], updates)
        self.scaler.load_state_dict(scaler)
        _restore_generators(self.generators, drawn_from)
        self.set_learning_rate(learning_rate)
        self.epoch, self.step, self.total, self.seen = position
        self.finished, self._order, self._seed = finished, order, seed
        self.best = {name: tensor.to(state[name].device) for name, tensor in tensors["best"].items()}


def _tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, including non-persistent ones."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _states(generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    return {name: generator.get_state() for name, generator in generators.items()}


def _restore_generators(generators: Mapping[str, torch.Generator], states: Mapping[str, Tensor]) -> None:
    """Set generators to their states; one that has none is seeded by what the CPU's would draw next."""
    for name, state in states.items():
        generators[name].set_state(state)
    for name in generators.keys() - states.keys():
        seed = int(torch.randint(2**63 - 1, (), generator=generators["cpu"].clone_state()))
        generators[name].manual_seed(seed)
