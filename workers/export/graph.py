"""Networks as ONNX graphs: written by torch's exporter, checked and run by ONNX Runtime.

The only module that imports onnx and onnxruntime, apart from `workers.export.quantization`.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from jobs.errors import BadInputError, BadNetworkError
from workers.export.comparison import compare

if TYPE_CHECKING:
    import onnx
    import onnxruntime

INPUT, OUTPUT = "images", "outputs"
"""Names of a graph's input and output."""

_NOISY = ("torch.onnx", "torch.export", "torch.fx", "torch._dynamo", "onnxscript", "onnx_ir")


def write_onnx(model: nn.Module, input_shape: Sequence[int], *, any_size: bool = False) -> bytes:
    """A network as an ONNX graph, with a dynamic batch dimension and its weights inside.

    Args:
        model: From a batch of samples to one tensor; moved to the CPU, and into evaluation mode.
        input_shape: Shape of one sample.
        any_size: Whether height and width are dynamic, too, as far as the network allows it.

    Raises:
        BadNetworkError: ONNX cannot express it; it says why.
    """
    model = model.cpu().eval()
    images = torch.zeros(2, *input_shape)  # of one, the batch would be taken for a constant
    try:
        with quiet():
            program = torch.onnx.export(
                model,
                (images,),
                dynamo=True,
                dynamic_shapes=(dynamic_axes(any_size=any_size),),
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
                external_data=False,
            )
        if program is None:
            raise RuntimeError("the exporter gave no graph")
        return _without_origins(program.model_proto)
    except Exception as error:  # the exporter and the network may raise anything
        raise BadNetworkError(f"ONNX cannot express the network: {reason(error)}") from error


def returns_images(model: nn.Module, images: Tensor) -> bool:
    """Whether a network makes images of images, as for super-resolution; users run these on images of any size."""
    with torch.inference_mode():
        outputs = model(images)
    return isinstance(outputs, Tensor) and outputs.ndim == images.ndim == 4


def dynamic_axes(*, any_size: bool) -> dict[int, Any]:
    """The axes of images whose length an exported network does not fix: the batch's, and height and width.

    Args:
        any_size: Whether these two are among them, as far as the network allows it.
    """
    batch = {0: torch.export.Dim("batch")}
    return {**batch, 2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO} if any_size else batch


def _without_origins(graph: "onnx.ModelProto") -> bytes:
    """The graph without notes on where its operators come from: lines of source files of this machine."""
    main = graph.graph
    for each in (main, *main.node, *main.initializer, *main.value_info, *main.input, *main.output, *graph.functions):
        del each.metadata_props[:]
    for function in graph.functions:
        for node in (*function.node, *function.value_info):
            del node.metadata_props[:]
    content: bytes = graph.SerializeToString(deterministic=True)
    return content


def check_onnx(content: bytes, model: nn.Module, images: Tensor) -> float:
    """Compare a graph's outputs in ONNX Runtime with the network's, also on a batch of another size.

    Args:
        content: The graph.
        model: The network, on the CPU, in evaluation mode.
        images: A batch of at least two images.

    Returns:
        The largest difference, relative to the largest output.

    Raises:
        BadNetworkError: The graph is invalid, or its outputs differ by more than rounding.
    """
    import onnx

    try:
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    except Exception as error:  # the checker raises several kinds
        raise BadNetworkError(f"the ONNX graph is invalid: {reason(error)}") from error
    return compare("the ONNX graph", OnnxNetwork(content), model, images)


def open_session(
    content: bytes, *, threads: int | None = None, device: torch.device | str = "cpu"
) -> "onnxruntime.InferenceSession":
    """A session of ONNX Runtime that runs a graph.

    Args:
        content: The graph.
        threads: Of one pass; default: those that torch has here.
        device: `cpu` or `cuda`.

    Raises:
        BadInputError: ONNX Runtime does not run on that device here.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    if torch.device(device).type == "cuda":
        providers.insert(0, "CUDAExecutionProvider")
        if providers[0] not in onnxruntime.get_available_providers():
            raise BadInputError(
                "ONNX Runtime has no CUDA here; install onnxruntime-gpu in place of onnxruntime on the workers, or "
                "leave `onnxruntime` out of the runtimes"
            )
    return onnxruntime.InferenceSession(content, options, providers=providers)


class OnnxNetwork(nn.Module):
    """An ONNX graph as a network, on the CPU; without parameters.

    Args:
        content: The graph, of one input and one output.
        threads: As of `open_session`.
    """

    def __init__(self, content: bytes, *, threads: int | None = None) -> None:
        super().__init__()
        self._session = open_session(content, threads=threads)
        self._input = self._session.get_inputs()[0].name

    def forward(self, images: Tensor) -> Tensor:
        """The outputs of a batch of images of single precision."""
        outputs: list[Any] = self._session.run(None, {self._input: images.cpu().numpy()})
        return torch.from_numpy(outputs[0])


def reason(error: Exception) -> str:
    """The root cause of an exporter's error, in one line."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporters' progress, warnings and graphs: outputs are compared, and errors raised."""
    levels = {name: logging.getLogger(name).level for name in _NOISY}
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
