"""The stages: each module here has one function `run(context) -> Product` and the name of its `StageKind`."""

import importlib
from collections.abc import Callable
from typing import TypeAlias, cast

from jobs.stages.base import StageParams
from jobs.stages.table import StageKind
from workers.stages._base import Context, Product

AnyContext: TypeAlias = Context[StageParams]
"""The context of any stage."""

__all__ = ["AnyContext", "Context", "Product", "stage_function"]


def stage_function(stage: StageKind) -> Callable[[AnyContext], Product]:
    """The function that runs a stage; its module is imported on first use."""
    module = importlib.import_module(f"workers.stages.{stage.value}")
    return cast("Callable[[AnyContext], Product]", module.run)
