"""Stage `quantize`: an ONNX graph in 8 bits, and what it is worth."""

from jobs.identity import Json
from jobs.stages.finishing import QuantizeParams
from workers.artifacts import GRAPH_FILE, QUANTIZED_FILE
from workers.export.graph import OnnxNetwork
from workers.export.quantization import quantize_onnx
from workers.measure import evaluate_data
from workers.objectives import find_objective
from workers.stages._base import Context, Product
from workers.stages._images import draw_images, read_data


def run(context: Context[QuantizeParams]) -> Product:
    """Quantise the graph, and evaluate it on the test split.

    Measures every metric of the objective, those of each named test set, `loss` and `size_bytes` (of the file), each
    named as the variant `int8`: `accuracy/int8`, `psnr_db/set5/int8`.

    Raises:
        BadNetworkError: ONNX Runtime cannot quantise it, or not run the result.
    """
    params = context.params
    content = quantize_onnx(
        context.artifacts.read(params.graph, GRAPH_FILE),
        draw_images(context, params.images),
        params.quantization,
        batch_size=params.batch_size,
    )
    context.poll()
    evaluation = evaluate_data(
        OnnxNetwork(content),
        read_data(context, params.images.data),
        find_objective(params.objective),
        num_images=params.num_images,
        batch_size=params.batch_size,
        device="cpu",
        should_stop=context.should_stop,
    )
    measured: dict[str, Json] = {**evaluation.metrics, "loss": evaluation.loss, "size_bytes": len(content)}
    return Product(
        measurements={f"{name}/int8": value for name, value in measured.items()}, files={QUANTIZED_FILE: content}
    )
