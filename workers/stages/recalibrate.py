"""Stage `recalibrate`: estimates the statistics of a pruned network's batch norms again."""

from jobs.stages.finishing import RecalibrateParams
from workers.network import network_files
from workers.stages._base import Context, Product
from workers.stages._images import draw_images
from workers.training.recalibration import recalibrate


def run(context: Context[RecalibrateParams]) -> Product:
    """Recalibrate a network on training images, without their labels. Measures what the network's own task measured."""
    network = context.network(context.params.network)
    module, images = network.module(context.device), draw_images(context, context.params.images)
    recalibrate(
        module, images, batch_size=context.params.batch_size, device=context.device, should_stop=context.should_stop
    )
    return Product(
        measurements=network.measured,
        files=network_files(network.recipe, module.state_dict(), network.masks),
    )
