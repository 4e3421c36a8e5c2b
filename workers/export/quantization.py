"""Static post-training quantisation of ONNX graphs to 8 bits, by ONNX Runtime.

Weights have one scale per output channel, activations one per tensor, from calibration images (QDQ format).
"""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jobs.errors import BadNetworkError
from jobs.spec.measure import QuantizeSpec
from workers.data.images import Split, batches
from workers.export.graph import arrays_for, open_session

_METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}
_LARGEST_BATCH = 32
"""ONNX Runtime keeps every activation of a batch."""


def quantize_onnx(content: bytes, images: Split, spec: QuantizeSpec, *, batch_size: int) -> bytes:
    """The graph in 8 bits: weights signed, activations unsigned.

    Args:
        content: The graph in single precision.
        images: Calibration images, whose activations give the ranges.
        spec: Calibration, and the bits of weights.
        batch_size: Calibration images per batch; at most 32 are taken.

    Raises:
        BadNetworkError: ONNX Runtime cannot quantise it; it says why.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory(prefix="orchard-") as folder, _quiet():
        given, prepared, made = (Path(folder, name) for name in ("given.onnx", "prepared.onnx", "made.onnx"))
        given.write_bytes(content)
        try:
            quant_pre_process(given, prepared, skip_symbolic_shape=True)  # folds batch norms into convolutions
            quantize_static(
                prepared,
                made,
                _calibration(given, images, min(batch_size, _LARGEST_BATCH)),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                reduce_range=spec.reduce_range,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod[_METHODS[spec.calibrate]],
            )
        except Exception as error:  # ONNX Runtime raises several kinds
            raise BadNetworkError(
                f"ONNX Runtime cannot quantise the network ({type(error).__name__}: {error}); leave out `quantize`"
            ) from error
        return made.read_bytes()


def _calibration(graph: Path, images: Split, batch_size: int) -> object:
    """The images as ONNX Runtime reads them: batch after batch, by the names of a graph's inputs."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # it ships no types
        """Hands out one batch a call, then None."""

        def __init__(self) -> None:
            session = open_session(graph.read_bytes())
            self._batches = (arrays_for(session, inputs) for inputs, _ in batches(images, batch_size, device="cpu"))

        def get_next(self) -> dict[str, Any] | None:
            """The next batch."""
            return next(self._batches, None)

    return Reader()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without advice on preprocessing, which is done, and without its progress on standard output."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
