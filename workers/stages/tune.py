"""Stage `tune`: move the nodes of a partition so that the smaller network does better; the weights stay."""

from safetensors.torch import save

from workers.channels import MacCount
from workers.integral import QUADRATURES
from workers.integral.tuning import TuningRecipe, tune_partition
from workers.network import read_network, read_state
from workers.stages._allocation import Source, allocated
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages._data import read_data
from workers.stages._smaller import cells_at
from workers.training import training_macs

PARTITION_FILE = "partition.safetensors"
BIAS_PREFIX = "bias:"


def run(context: Context) -> Product:
    """Tune the partition of every group at the widths that the target compression gives.

    Params: those of the allocation, `partition` (where it starts), `quadrature`, `tune` (recipe), `data`, `seed`.
    Measures the loss on the held-out images before and after, and what was spent: a step costs as one of training.
    """
    module, recipe = read_network(context)
    source = Source(recipe=recipe, state=read_state(context), channel_map=read_channels(context))
    data, widths = read_data(context), allocated(context, source).widths
    tuned = tune_partition(
        module,
        source.channel_map,
        cells_at(source.state, source.channel_map, widths, context.params["partition"]),
        QUADRATURES[context.params["quadrature"]],
        data,
        TuningRecipe(**context.params["tune"]),
        generator=context.generator("batches"),
        device=context.device,
        should_stop=context.should_stop,
        checkpoint=context.checkpoint,
    )
    samples = context.params["tune"]["steps"] * context.params["tune"]["batch_size"]
    biases = {f"{BIAS_PREFIX}{name}": bias for name, bias in tuned.biases.items()}
    return Product(
        measurements={
            "loss_before": tuned.loss_before,
            "loss_after": tuned.loss_after,
            "best_step": tuned.best_step,
            "training_epochs": samples / len(data.train),
            "training_macs": training_macs(MacCount(source.channel_map)(widths), samples),
        },
        files={PARTITION_FILE: save({**tuned.cells, **biases})},
    )
