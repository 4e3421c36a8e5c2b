"""Stage `export`: a network as an ONNX graph, checked in ONNX Runtime."""

import torch

from jobs.stages.finishing import ExportParams
from workers.artifacts import GRAPH_FILE
from workers.export.graph import check_onnx, returns_images, write_onnx
from workers.stages._base import Context, Product


def run(context: Context[ExportParams]) -> Product:
    """Write the graph, and compare its outputs with the network's.

    Measures the largest `difference`, relative to the largest output, and `size_bytes` of the file.

    Raises:
        BadNetworkError: ONNX cannot express the network, or its graph gives other outputs.
    """
    network = context.network(context.params.network)
    module, shape = network.module(), network.recipe.input_shape
    images = torch.rand(2, *shape, generator=context.generator("images"))
    content = write_onnx(module, shape, any_size=returns_images(module, images))
    context.poll()
    difference = check_onnx(content, module, images)
    return Product(measurements={"difference": difference, "size_bytes": len(content)}, files={GRAPH_FILE: content})
