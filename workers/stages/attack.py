"""Stage `attack`: the metrics of a classifier of images that are made to deceive it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from jobs.errors import BadInputError, BadNumericsError
from jobs.spec.attack import CLEAN
from jobs.stages.finishing import AttackParams
from workers.attacks import PixelClassifier, attack
from workers.data import batches
from workers.measure.evaluation import make_meters
from workers.objectives import Objective, find_objective
from workers.objectives.classification import classes_of
from workers.stages._base import Context, Product
from workers.stages._images import read_data

if TYPE_CHECKING:
    import torchmetrics


def run(context: Context[AttackParams]) -> Product:
    """Attack a network with the first images of the split that is evaluated.

    Measures every metric of the objective for every attack, named as a variant: `accuracy/fgsm`; and for the same
    images without an attack, `accuracy/clean`.

    Raises:
        BadInputError: The network is no classifier of images, or an attack has the name of a test set.
        BadNumericsError: A logit is NaN or infinite.
    """
    params = context.params
    data, objective = read_data(context, params.data), find_objective(params.objective)
    if objective.computes_its_loss or data.num_classes is None:
        raise BadInputError("attacks are on classifiers, and the data has no classes; leave `measure.attack` out")
    if taken := next((name for name in (CLEAN, *params.attacks.by) if name in data.test_sets), None):
        raise BadInputError(
            f"the data has a test set named '{taken}', and so are the metrics of `measure.attack`; give the "
            f"{'test set' if taken == CLEAN else 'attack'} another name"
        )
    module = context.network(params.network).module(context.device).eval()
    classifier = PixelClassifier(module, objective.predict, data.normalized).to(context.device)
    draws = {name: context.generator(f"attack {name}") for name in params.attacks.by}
    whole = data.test if params.split == "test" else data.validation
    split = whole.select(torch.arange(min(params.attacks.images, len(whole))))
    meters = {name: make_meters(objective, context.device) for name in (CLEAN, *params.attacks.by)}
    for images, targets in batches(split, params.batch_size, device=context.device):
        context.poll()
        if not isinstance(images, Tensor):
            raise BadInputError("attacks are on images, and this data gives several tensors a sample")
        pixels, classes = classifier.pixels(images), classes_of(targets)
        _count(classifier, objective, meters[CLEAN], pixels, targets)
        for name, how in params.attacks.by.items():
            deceiving = attack(classifier, pixels, classes, how, generator=draws[name])
            _count(classifier, objective, meters[name], deceiving, targets)
    return Product(
        measurements={
            f"{metric}/{name}": float(meter.compute()) for name, of in meters.items() for metric, meter in of.items()
        }
    )


def _count(
    classifier: PixelClassifier,
    objective: Objective,
    meters: "Mapping[str, torchmetrics.Metric]",
    pixels: Float[Tensor, "n c h w"],
    targets: Shaped[Tensor, "n ..."],
) -> None:
    with torch.inference_mode():
        logits = classifier(pixels)
        objective.check(logits, targets)
        if not bool(logits.isfinite().all()):
            raise BadNumericsError("attack: a logit is NaN or infinite")
        for meter in meters.values():
            meter.update(logits, targets)
