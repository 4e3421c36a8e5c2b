"""Stage `tune`: partition tuning: optimises the nodes of a partition; the functions do not change."""

from math import isfinite

from safetensors.torch import save

from jobs.stages.pruning import TuneParams
from workers.artifacts import BIAS_PREFIX, PARTITION_FILE
from workers.channels import MacCount
from workers.integral import QUADRATURES
from workers.integral.problem import Quality
from workers.integral.tuning import samples_used, tune_partition
from workers.objectives import Objective, find_objective
from workers.stages._allocation import allocate_widths, groups_kept_whole
from workers.stages._base import Context, Product
from workers.stages._images import read_data
from workers.stages._smaller import cells_at, variance_repair
from workers.training import training_macs


def run(context: Context[TuneParams]) -> Product:
    """Tune the partition of every group at the widths that the target compression gives; not of those kept whole.

    Measures the loss and the primary metric on the held-out images before and after (without labels the loss alone),
    and the training cost: a step costs as one of training, and where the dense network teaches, a pass of that one.
    """
    params, network = context.params, context.network(context.params.network)
    data, channel_map = read_data(context, params.data), network.channel_map
    objective = find_objective(params.objective)
    widths = allocate_widths(context, network, params.widths, how=params.how).widths
    whole = groups_kept_whole(channel_map, params.widths.limits)
    cells = cells_at(network.state, channel_map, widths, params.how.partition)
    tuned = tune_partition(
        network.module(context.device),
        channel_map,
        {name: each for name, each in cells.items() if name not in whole},
        QUADRATURES[params.how.quadrature],
        data,
        params.tune,
        objective,
        generator=context.generator("batches"),
        device=context.device,
        evaluation_batch_size=context.task.locations.evaluation_batch_size,
        repair=variance_repair(network, params.how, context.device),
        should_stop=context.should_stop,
        checkpoint=context.checkpoint,
    )
    samples, macs = samples_used(params.tune, len(data.train)), MacCount(channel_map)
    taught = params.tune.distill is not None and params.tune.distill.compares
    biases = {f"{BIAS_PREFIX}{name}": bias for name, bias in tuned.biases.items()}
    return Product(
        measurements={
            "loss_before": tuned.before.loss,
            "loss_after": tuned.after.loss,
            **{name: value for name, value in _primary("before", tuned.before, objective).items() if isfinite(value)},
            **_primary("after", tuned.after, objective),
            "best_step": tuned.best_step,
            "training_epochs": samples / len(data.train),
            "training_macs": training_macs(macs(widths), samples)
            + (macs(channel_map.widths()) * samples if taught else 0),
        },
        timings=tuned.speed.timings(),
        files={PARTITION_FILE: save({**cells, **tuned.cells, **biases})},
    )


def _primary(when: str, quality: Quality, objective: Objective) -> dict[str, float]:
    name = objective.primary.name
    return {f"{name}_{when}": quality.metrics[name]} if name in quality.metrics else {}
