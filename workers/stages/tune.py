"""Stage `tune`: move the nodes of a partition so that the smaller network does better; the weights stay."""

from safetensors.torch import save

from workers.allocation import ALLOCATIONS, merging_errors
from workers.channels import MacCount
from workers.integral import PARTITIONS, QUADRATURES, choose_cells
from workers.integral.tuning import TuningRecipe, tune_partition
from workers.network import read_network
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._data import read_data
from workers.training import training_macs

PARTITION_FILE = "partition.safetensors"
BIAS_PREFIX = "bias:"


def run(context: Context) -> Product:
    """Tune the partition of every group at the widths that the target compression gives.

    Params: `compression`, `allocation`, `partition` (where it starts), `quadrature`, `tune` (recipe), `data`, `seed`.
    Measures the loss on the held-out images before and after, and what was spent: a step costs as one of training.
    """
    module, _ = read_network(context)
    channel_map, data = read_channels(context), read_data(context)
    allocation = ALLOCATIONS[context.params["allocation"]](
        channel_map, context.params["compression"], lambda: merging_errors(module.state_dict(), channel_map)
    )
    tuned = tune_partition(
        module,
        channel_map,
        choose_cells(module.state_dict(), channel_map, allocation.widths, PARTITIONS[context.params["partition"]]),
        QUADRATURES[context.params["quadrature"]],
        data,
        TuningRecipe(**context.params["tune"]),
        generator=context.generator("batches"),
        device=context.device,
        should_stop=context.should_stop,
        checkpoint=context.checkpoint,
    )
    tuning, widths = context.params["tune"], {name: len(cells) for name, cells in tuned.cells.items()}
    samples = tuning["steps"] * tuning["batch_size"]
    biases = {f"{BIAS_PREFIX}{name}": bias for name, bias in tuned.biases.items()}
    return Product(
        measurements={
            "loss_before": tuned.loss_before,
            "loss_after": tuned.loss_after,
            "best_step": tuned.best_step,
            "training_epochs": samples / len(data.train),
            "training_macs": training_macs(MacCount(channel_map)(widths), samples),
        },
        files={PARTITION_FILE: save({**tuned.cells, **biases})},
    )
