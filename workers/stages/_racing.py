"""Trainings that race others: what one measures at a rung, and what is left of one that does not go on."""

from collections.abc import Mapping

from jobs.artifact import Manifest
from jobs.identity import Json
from jobs.measured import count, number, records, text, texts
from jobs.metric import STOPPED, Metric
from jobs.spec.training import Recipe
from jobs.stages.training import Leg, TrainParams
from workers.artifacts import PAUSED_FILE
from workers.stages._base import Context, Product
from workers.training import Trained


def rung_measured(trained: Trained, recipe: Recipe, primary: Metric) -> dict[str, Json]:
    """What a training measures at a rung, on the validation split, with the weights that its network has there.

    Args:
        trained: The training so far.
        recipe: Its recipe, which says which weights these are.
        primary: The metric that trainings are compared by.
    """
    epoch = trained.log.best if recipe.keep == "best" else trained.log.last
    metrics = epoch.average if recipe.keep == "ema" else epoch.validation
    fraction = trained.epochs / (recipe.last_epoch - recipe.begin)  # of its steps: a rung is rounded to whole ones
    return {"rung_fraction": fraction, "rung_value": metrics[primary.name], "rung_loss": epoch.validation_loss}


def is_racing(measured: Mapping[str, Json]) -> bool:
    """Whether a training, by its measurements, is still in its race."""
    return STOPPED not in measured


def left_behind(context: Context[TrainParams], leg: Leg | None) -> Product | None:
    """The product of a training that is out of its race: what it had before, with a note; None where it goes on."""
    if leg is None or leg.start is None or leg.race is None:
        return None
    before, decided = context.artifacts.manifest(leg.start), context.artifacts.manifest(leg.race)
    measured = before.measurements
    if is_racing(measured):
        ranked = [texts(each, "trainings") for each in records(decided.measurements, "ranked")]
        place = next((place for place, trainings in enumerate(ranked) if leg.start in trainings), None)
        if place is not None and place < count(decided.measurements, "kept"):
            return None
        why = "it failed with another seed" if place is None else f"it was number {place + 1} of {len(ranked)}"
        measured = _stopped(before, f"{why} in its race")
    files = {name: context.artifacts.read(leg.start, name) for name in before.files if name != PAUSED_FILE}
    return Product(measurements=measured, files=files)


def _stopped(before: Manifest, why: str) -> dict[str, Json]:
    fraction = number(before.measurements, "rung_fraction")
    note = f"its training stopped after {100 * fraction:.3g}% of its steps, since {why}"
    earlier = text(before.measurements, "note", "")
    return {**before.measurements, STOPPED: fraction, "note": f"{earlier}; {note}" if earlier else note}
