"""The stages: each module here has one function `run(context) -> Product` and the name of its `StageKind`."""

import importlib
from collections.abc import Callable
from typing import cast

from jobs.task import StageKind
from workers.stages._base import Context, Product

__all__ = ["Context", "Product", "stage_function"]


def stage_function(stage: StageKind) -> Callable[[Context], Product]:
    """The function that runs a stage; its module is imported when it is first asked for."""
    module = importlib.import_module(f"workers.stages.{stage.value}")
    return cast("Callable[[Context], Product]", module.run)
