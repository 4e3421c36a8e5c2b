"""Networks as ONNX graphs: written by torch's exporter, checked and run by ONNX Runtime.

The only module that imports onnx and onnxruntime, apart from `workers.export.quantization`.
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from jobs.errors import BadInputError, BadNetworkError
from workers.export.comparison import compare, reason
from workers.inputs import Inputs, InputsLike, as_spec, call, call_arguments, tensors_of
from workers.nested import leaves_of, returning_leaves

if TYPE_CHECKING:
    import onnx
    import onnxruntime

INPUT, OUTPUT = "images", "outputs"
"""Names of a graph's input and output; of several, numbers from 0 follow: `inputs_0`, `outputs_1`."""

_NOISY = ("torch.onnx", "torch.export", "torch.fx", "torch._dynamo", "onnxscript", "onnx_ir")


def write_onnx(model: nn.Module, inputs: InputsLike, *, any_size: bool = False) -> bytes:
    """A network as an ONNX graph, with a dynamic batch dimension and its weights inside.

    Args:
        model: Moved to the CPU, and into evaluation mode; its outputs are the graph's, one after the other.
        inputs: What it takes; no keyword arguments.
        any_size: Whether height and width are dynamic, too, as far as the network allows it.

    Raises:
        BadNetworkError: ONNX cannot express it; it says why.
    """
    model = model.cpu().eval()
    spec = as_spec(inputs)
    if spec.names:
        raise BadNetworkError(
            f"ONNX graphs of networks with keyword arguments ({', '.join(spec.names)}) are not written; let it take "
            "positional arguments, and the data give tuples"
        )
    # Of one sample, the batch would be taken for a constant.
    args, _ = call_arguments(spec.draw(2, torch.Generator().manual_seed(0)))
    try:
        with quiet(), torch.no_grad():
            count = len(leaves_of(model(*args)))
        with quiet(), returning_leaves(model):
            program = torch.onnx.export(
                model,
                args,
                dynamo=True,
                dynamic_shapes=tuple(dynamic_axes(any_size=any_size) for _ in args),
                input_names=input_names(len(args)),
                output_names=_numbered(OUTPUT, OUTPUT, count),
                verbose=False,
                external_data=False,
            )
        if program is None:
            raise RuntimeError("the exporter gave no graph")
        return _without_origins(program.model_proto)
    except Exception as error:  # the exporter and the network may raise anything
        raise BadNetworkError(f"ONNX cannot express the network: {reason(error)}") from error


def checked_onnx(model: nn.Module, inputs: InputsLike, batch: Inputs) -> tuple[bytes, float]:
    """A network as an ONNX graph that gives what it gives: of images of any size, where it makes images of images.

    A graph has one way to compute, and a network may have several, by the size of its images. Where it shows that it
    has, the graph is for images of the size of `inputs` alone.

    Args:
        model: As of `write_onnx`.
        inputs: What it takes.
        batch: At least two samples of that, on the CPU.

    Returns:
        The graph, and the largest difference of outputs, relative to the largest one.

    Raises:
        BadNetworkError: ONNX cannot express it, or the graph does not run or gives other outputs.
    """
    if returns_images(model, batch):
        content = write_onnx(model, inputs, any_size=True)
        try:
            return content, max(check_onnx(content, model, each) for each in (batch, *other_sizes(model, batch)))
        except BadNetworkError:
            pass
    content = write_onnx(model, inputs)
    return content, check_onnx(content, model, batch)


def other_sizes(model: nn.Module, images: Inputs) -> Iterator[Tensor]:
    """The same images with some rows and columns more, as far as the network takes such."""
    assert isinstance(images, Tensor)  # it makes images of them
    height, width = images.shape[-2:]
    for rows, columns in ((1, 1), (2, 2), (height, width)):
        larger = nn.functional.pad(images, (0, columns, 0, rows), mode="replicate")
        if _takes(model, larger):
            yield larger


def _takes(model: nn.Module, images: Tensor) -> bool:
    try:
        with torch.inference_mode():
            call(model, images)
    except Exception:  # the network may raise anything
        return False
    return True


def input_names(count: int) -> list[str]:
    """Names of a graph's inputs."""
    return _numbered(INPUT, "inputs", count)


def _numbered(alone: str, several: str, count: int) -> list[str]:
    return [alone] if count == 1 else [f"{several}_{number}" for number in range(count)]


def returns_images(model: nn.Module, inputs: Inputs) -> bool:
    """Whether a network makes images of images, as for super-resolution; users run these on images of any size."""
    with torch.inference_mode():
        outputs = call(model, inputs)
    return all(isinstance(each, Tensor) and each.ndim == 4 for each in (inputs, outputs))


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


def check_onnx(content: bytes, model: nn.Module, inputs: Inputs) -> float:
    """Compare a graph's outputs in ONNX Runtime with the network's, also on a batch of another size.

    Args:
        content: The graph.
        model: The network, on the CPU, in evaluation mode.
        inputs: A batch of at least two samples.

    Returns:
        The largest difference, relative to the largest output.

    Raises:
        BadNetworkError: The graph is invalid or does not run, or its outputs differ by more than rounding.
    """
    import onnx

    try:
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    except Exception as error:  # the checker raises several kinds
        raise BadNetworkError(f"the ONNX graph is invalid: {reason(error)}") from error
    return compare("the ONNX graph", OnnxNetwork(content), model, inputs)


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
        content: The graph.
        threads: As of `open_session`.

    Raises:
        BadNetworkError: ONNX Runtime cannot run it, for example for want of an operator.
    """

    def __init__(self, content: bytes, *, threads: int | None = None) -> None:
        super().__init__()
        try:
            self._session = open_session(content, threads=threads)
        except Exception as error:  # ONNX Runtime raises several kinds
            raise BadNetworkError(f"ONNX Runtime cannot run the graph: {reason(error)}") from error

    def forward(self, *inputs: Tensor) -> Tensor | list[Tensor]:
        """The output of a batch, its fractions of single precision; of several outputs, a list."""
        outputs = [torch.from_numpy(each) for each in self._session.run(None, arrays_for(self._session, inputs))]
        return outputs[0] if len(outputs) == 1 else outputs


def arrays_for(session: "onnxruntime.InferenceSession", inputs: Inputs) -> dict[str, Any]:
    """A batch as a session takes it: by the names of its inputs, in their order."""
    names = [each.name for each in session.get_inputs()]
    return {name: tensor.cpu().numpy() for name, tensor in zip(names, tensors_of(inputs), strict=True)}


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
