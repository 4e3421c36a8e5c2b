"""The dense network that a training learns from, as its task names it."""

from dataclasses import dataclass

from torch import nn

from jobs.spec.training import Recipe
from jobs.stages.base import ArtifactKey
from jobs.stages.training import TrainParams
from workers.distillation import Teacher
from workers.execution import running_teacher
from workers.network import sizes
from workers.objectives import find_objective
from workers.stages._base import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseTeacher:
    """A dense network that is read to learn from.

    Attributes:
        teacher: What makes the loss.
        macs: Of one of its passes, for one sample.
    """

    teacher: Teacher
    macs: int


def read_teacher(
    context: Context[TrainParams], key: ArtifactKey | None, recipe: Recipe, student: nn.Module
) -> DenseTeacher | None:
    """The dense network of a task; None where the recipe asks for none.

    Args:
        context: Context of the task.
        key: Of the dense network.
        recipe: Of the training.
        student: The network that is trained.

    Raises:
        BadInputError: The networks cannot be compared as the recipe says.
    """
    if key is None or recipe.distill is None or not recipe.distill.compares:
        return None
    stored = context.network(key)
    network = stored.module()
    macs = sizes(network, stored.recipe)["macs"]
    network.to(context.device)
    teacher = Teacher(
        recipe.distill,
        network,
        student,
        find_objective(context.params.objective),
        runner=running_teacher(network, recipe),
    )
    return DenseTeacher(teacher=teacher, macs=macs)
