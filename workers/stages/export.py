"""Stage `export`: a network as an ONNX graph, checked in ONNX Runtime."""

from jobs.stages.finishing import ExportParams
from workers.artifacts import GRAPH_FILE
from workers.export.graph import checked_onnx
from workers.stages._base import Context, Product


def run(context: Context[ExportParams]) -> Product:
    """Write the graph, and compare its outputs with the network's.

    Measures the largest `difference`, relative to the largest output, and `size_bytes` of the file.

    Raises:
        BadNetworkError: ONNX cannot express the network, or its graph does not run or gives other outputs.
    """
    network = context.network(context.params.network)
    module, inputs = network.module(), network.recipe.inputs
    batch = inputs.draw(2, context.generator("images"))
    context.poll()
    content, difference = checked_onnx(module, inputs, batch)
    return Product(measurements={"difference": difference, "size_bytes": len(content)}, files={GRAPH_FILE: content})
