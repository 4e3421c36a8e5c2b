"""A task to run, and stages whose outcome a test chooses."""

from plain_tasks import plain_task

from jobs.stages.table import StageKind
from workers.stages import Product

PRODUCT = Product(measurements={"accuracy": 0.5}, files={"a.json": b"[1]"}, timings={"solve_s": 1.5})


def a_task(**changes):
    return plain_task(StageKind.SCORE, **{"seed": 3, "label": "net/l1@40%/seed3", **changes})


def returning(product):
    """A stage that gives this product."""
    return lambda stage: lambda context: product


def raising(error):
    """A stage that fails in this way."""

    def run(context):
        raise error

    return lambda stage: run
