"""The dense network as a teacher: what a smaller network's loss is with it."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from jobs.errors import BadInputError
from jobs.spec.distillation import DistillSpec
from workers.distillation._clock import PassClock
from workers.distillation._features import Features, distance, find_layers, reading
from workers.factories import check_arguments
from workers.inputs import Inputs, call
from workers.objectives import Objective


class Teacher:
    """Makes the loss of a smaller network, the student, from that on its targets and from what the dense one says.

    The loss of a batch is

        (1 - weight) * loss + weight * difference + features.weight * distance

    with the objective's loss on the targets, the objective's `difference` of the student's outputs from the dense
    network's, and the distance of their features (`_features.distance`). For classification the difference is
    T^2 KL(p_dense || p_student), in nats, a mean over the samples, with the softmax of the logits divided by the
    temperature T; the square keeps gradients of one size for every T (Hinton, Vinyals and Dean 2015,
    arXiv:1503.02531, section 2; their weighted sum has the same two parts). Other objectives have their own. At
    weight 1 no targets are read.

    The dense network is in evaluation mode, draws nothing and has no state, so that a training that goes on from a
    checkpoint needs nothing of it.

    Args:
        how: Weights, temperature and layers.
        network: The dense network, on its device; it is put into evaluation mode.
        student: The module that has the student's layers.
        objective: The objective.
        runner: What is called in the place of the dense network: in another precision, say. Default: itself.

    Raises:
        BadInputError: The outputs of networks for this objective cannot be compared, or not so, or a pattern of layers
            matches nothing.
    """

    def __init__(
        self,
        how: DistillSpec,
        network: nn.Module,
        student: nn.Module,
        objective: Objective,
        *,
        runner: nn.Module | None = None,
    ) -> None:
        self._how, self._objective, self._student = how, objective, student
        self._network = network.eval().requires_grad_(requires_grad=False)
        self._runner = network if runner is None else runner.eval()
        self._settings = {} if how.temperature == 1 else {"temperature": how.temperature}
        self._check_objective()
        self._layers = find_layers(how.features.layers, network, student) if how.features is not None else ()
        self._clock = PassClock(next((each.device for each in network.parameters()), torch.device("cpu")))

    @property
    def seconds(self) -> float:
        """What the dense network's passes have taken so far, on its device."""
        return self._clock.seconds

    def loss(
        self, inputs: Inputs, run: Callable[[], Any], loss: Callable[[Any], Float[Tensor, ""]]
    ) -> Float[Tensor, ""]:
        """The student's loss of a batch, a mean over the samples.

        Args:
            inputs: The batch, as the student sees it.
            run: Gives the student's outputs for it; called once.
            loss: From these to the loss on the targets.

        Raises:
            BadInputError: Outputs or features cannot be compared.
        """
        weight, features = self._how.weight, self._how.features
        wanted, shown = self._passed(inputs)
        with reading(self._student, self._layers) as found:
            outputs = run()
        parts: list[Tensor] = []
        if weight < 1:
            parts.append((1 - weight) * loss(outputs))
        if weight > 0 and self._objective.difference is not None:
            parts.append(weight * self._objective.difference(outputs, wanted, **self._settings))
        if features is not None:
            parts.append(features.weight * distance(found, shown))
        return torch.stack(parts).sum()

    @torch.no_grad()
    def _passed(self, inputs: Inputs) -> tuple[Any, Features]:
        """The dense network's outputs and features."""
        with self._clock.passing(), reading(self._network, self._layers) as shown:
            outputs = call(self._runner, inputs)
        return outputs, shown

    def _check_objective(self) -> None:
        objective, where = self._objective, f"objective '{self._objective.name}': distill"
        if objective.difference is not None:
            check_arguments(objective.difference, self._settings, num_positional=2, where=where)
        elif self._how.weight > 0:
            raise BadInputError(
                f"{where}.weight is {self._how.weight:g}, and its networks compute their losses themselves, so that "
                "outputs cannot be compared; set weight: 0, and name layers as distill.features"
            )
        elif self._settings:
            raise BadInputError(f"{where}.temperature is for outputs, which are not compared; remove it")
