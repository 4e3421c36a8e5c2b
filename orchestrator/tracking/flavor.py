"""Logs a network to MLflow as a model that runs without Orchard: a graph traced by `torch.export`, without pickles.

It has a signature with any number of images, an example, and what it needs installed. The logged copy is loaded again,
as MLflow serves it, and has to give the network's outputs; otherwise nothing is left of it.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.fx import config

from jobs.errors import BadNetworkError
from workers.export.comparison import compare, reason
from workers.export.graph import quiet

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.models import ModelSignature

CARD_FILE = "README.md"
"""Name of the card among a model's extra files."""

_NUM_EXAMPLES = 2  # of one, the batch would be taken for a constant
_LEVELS = 8  # multiples of an eighth are exact and short in JSON
_NOISY = "mlflow.utils.environment"  # it misses pip, which uv's environments lack


def log_network(
    client: "MlflowClient",
    run: "Run",
    module: nn.Module,
    *,
    name: str,
    input_shape: Sequence[int],
    card: str,
    tags: Mapping[str, str],
    step: int,
) -> str:
    """Log a network to a run, whose status stays as it is.

    Args:
        client: A client of the tracking server, which is MLflow's default one.
        run: The run that it comes from.
        module: The network, on the CPU, in evaluation mode.
        name: The model's name.
        input_shape: Shape of one image.
        card: What it is, in Markdown; kept beside it.
        tags: Of the model.
        step: The step of the run's metrics that are the model's.

    Returns:
        The model's id.

    Raises:
        BadNetworkError: The network cannot be traced, or the logged copy gives other outputs.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(_LEVELS, (_NUM_EXAMPLES + 1, *input_shape), generator=generator) / _LEVELS
    signature = _signature(module, images)
    logged = client.create_logged_model(run.info.experiment_id, name, source_run_id=run.info.run_id, tags=dict(tags))
    try:
        with TemporaryDirectory(prefix="orchard-") as folder:
            path = Path(folder, CARD_FILE)
            path.write_text(card)
            _log(logged, module, images[:_NUM_EXAMPLES], signature, card=path, step=step)
        _check_copy(logged, module, images)
    except BaseException:
        client.delete_logged_model(logged.model_id)
        raise
    return str(logged.model_id)


def _signature(module: nn.Module, images: Tensor) -> "ModelSignature":
    """The signature of any number of images, of what one batch shows."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    with torch.inference_mode():
        outputs = module(images)
    if not isinstance(outputs, Tensor):
        raise BadNetworkError(
            f"the network's output is a {type(outputs).__name__}; MLflow serves networks whose output is one tensor"
        )
    given, gives = (TensorSpec(tensor.numpy().dtype, (-1, *tensor.shape[1:])) for tensor in (images, outputs))
    return ModelSignature(inputs=Schema([given]), outputs=Schema([gives]))


def _log(
    logged: "LoggedModel", module: nn.Module, images: Tensor, signature: "ModelSignature", *, card: Path, step: int
) -> None:
    """Trace the network, and log the graph and all that belongs to it."""
    from mlflow import pytorch
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with quiet(), _without_advice(), _without_origins():
            pytorch.log_model(
                module,
                model_id=logged.model_id,
                run_id=logged.source_run_id,
                step=step,
                serialization_format="pt2",
                signature=signature,
                input_example=images.numpy(),
                pip_requirements=[f"torch=={version('torch').partition('+')[0]}"],
                extra_files=[str(card)],
            )
    except (MlflowException, SQLAlchemyError, OSError):
        raise
    except Exception as error:  # the exporter and the network may raise anything
        raise BadNetworkError(f"torch.export cannot express the network: {reason(error)}") from error


def _check_copy(logged: "LoggedModel", module: nn.Module, images: Tensor) -> None:
    """Compare the outputs of a logged model, as MLflow serves it, with the network's, for batches of several sizes."""
    from mlflow import pyfunc

    copy = pyfunc.load_model(f"models:/{logged.model_id}", model_config={"device": "cpu"})
    compare("the copy for MLflow", lambda batch: torch.from_numpy(copy.predict(batch.numpy())), module, images)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Without MLflow's advice on environments."""
    logger = logging.getLogger(_NOISY)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _without_origins() -> Iterator[None]:
    """Without a note at every operator of a graph where it comes from: lines of source files of this machine."""
    before = config.do_not_emit_stack_traces
    config.do_not_emit_stack_traces = True
    try:
        yield
    finally:
        config.do_not_emit_stack_traces = before
