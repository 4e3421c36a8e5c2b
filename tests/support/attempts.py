"""A task to run, and stages that end as a test wants them to."""

from jobs.task import StageKind, make_task
from workers.stages import Product

PRODUCT = Product(measurements={"accuracy": 0.5}, files={"a.json": b"[1]"}, timings={"solve_s": 1.5})


def a_task(**changes):
    values = {
        "params": {"seed": 3},
        "inputs": {},
        "environment": {"torch": "any", "dtype": "float32", "device": "cpu"},
        "label": "net/l1@40%/seed3",
        **changes,
    }
    return make_task(StageKind.SCORE, **values)


def returning(product):
    """A stage that gives this product."""
    return lambda stage: lambda context: product


def raising(error):
    """A stage that fails in this way."""

    def run(context):
        raise error

    return lambda stage: run
