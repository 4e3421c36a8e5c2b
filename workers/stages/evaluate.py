"""Stage `evaluate`: the gates, metrics and cost of a network."""

from dataclasses import asdict

from safetensors.torch import load
from torch import nn

from jobs.measured import number
from jobs.metric import APART, PREDICTED, STOPPED
from jobs.stages.finishing import EvaluateParams
from workers.artifacts import AVERAGE_FILE, BEST_FILE, WEIGHTS_FILE
from workers.data import batches
from workers.execution import check_execution, in_memory_format, largest_difference, running
from workers.gates import check_export, check_layers, check_reload
from workers.gates.fresh import FILES
from workers.measure import Evaluation, evaluate_data, peak_memory_bytes
from workers.network import StoredNetwork, rebuild
from workers.objectives import Objective, find_objective
from workers.speed import Stopwatch
from workers.stages._base import Context, Product
from workers.stages._images import read_data
from workers.stages._learning import COST


def run(context: Context[EvaluateParams]) -> Product:
    """Measure a network on one split of the data.

    Measures every metric of the objective by its name, those of each named test set as `NAME/SET` (`test_sets` lists
    them in the data's order), and `loss`; the primary metric again as `NAME_best`, with the weights of the best epoch
    on the validation split (the same value for a network without such weights), and as `NAME_ema` with the moving
    average of its weights, where it has one; `metrics`, the description of each metric, the primary one first; the
    `precision` of all that, and where networks run otherwise than as they are (in another precision, channels last or
    compiled), the `precision_difference` of the first batch's outputs from those in float32;
    `peak_memory_bytes` (of one sample), the `digest` of its weights; what the network's own task measured:
    `compression`, `params`, `macs`, `size_bytes`, `speedup`, `note`, `widths`, `full_widths`, `weights`,
    `full_weights`, where its widths were chosen by a profile of its layers `speedup_predicted`, and where its training
    stopped in a race `stopped_after`; and its training cost: `training_epochs`, `training_macs`.

    Raises:
        BadNetworkError: The network fails a gate.
    """
    network, measure = context.network(context.params.network), context.params.measure
    module, files, recipe = network.module(context.device), network.manifest.files, network.recipe
    check_layers(module)
    objective = find_objective(context.params.objective)
    check_execution(measure, context.device)
    watch = Stopwatch()
    with in_memory_format(module, measure):
        runner = running(module, measure)
        with watch.running():
            evaluation = _evaluate(context, runner, objective)
        difference = _difference(context, runner, module)
    watch.count(evaluation.num_samples)
    if measure.reload:  # only after its outputs were checked
        check_reload({name: network.read(name) for name in FILES})
    best, average = (_beside(context, network, name, objective) for name in (BEST_FILE, AVERAGE_FILE))
    if measure.export:
        check_export(module.cpu(), recipe.inputs.draw(2, context.generator("images")))
    measured = network.measured
    compression = number(measured, "compression", 0.0)
    apart = f"{objective.primary.name}/"
    sets = [name.removeprefix(apart) for name in evaluation.metrics if name.startswith(apart)]
    return Product(
        measurements={
            "metrics": [asdict(metric) for metric in objective.metrics],
            **evaluation.metrics,
            **({"test_sets": sets} if sets else {}),
            objective.primary.best_name: (best or evaluation).metrics[objective.primary.name],
            **(
                {objective.primary.ema_name: (average or evaluation).metrics[objective.primary.name]}
                if network.has(AVERAGE_FILE)
                else {}
            ),
            "precision": measure.precision,
            **difference,
            "loss": evaluation.loss,
            "num_samples": evaluation.num_samples,
            "compression": compression,
            "compression_ratio": 1 / (1 - compression),
            "speedup": measured.get("speedup", 1.0),
            **{name: measured[name] for name in (PREDICTED, STOPPED) if name in measured},
            **{name: measured[name] for name in ("params", "macs", "size_bytes")},
            "peak_memory_bytes": peak_memory_bytes(module, recipe.inputs),
            **{name: measured.get(name, 0) for name in COST},
            "note": measured.get("note", ""),
            **{name: measured.get(name, {}) for name in ("widths", "weights")},
            **{name: measured.get(name, []) for name in ("full_widths", "full_weights")},
            "digest": files[WEIGHTS_FILE].sha256,
        },
        timings=watch.speed().timings(),
    )


def _beside(
    context: Context[EvaluateParams], network: StoredNetwork, name: str, objective: Objective
) -> Evaluation | None:
    """The network with other weights that its training kept; None where there are none, or the same."""
    files = network.manifest.files
    if name not in files or files[name].sha256 == files[WEIGHTS_FILE].sha256:
        return None
    module, how = rebuild(network.recipe, load(network.read(name))), context.params.measure
    with in_memory_format(module, how):
        return _evaluate(context, running(module, how), objective)


def _evaluate(context: Context[EvaluateParams], runner: nn.Module, objective: Objective) -> Evaluation:
    params = context.params
    return evaluate_data(
        runner,
        read_data(context, params.data),
        objective,
        split=params.split,
        num_images=params.num_images,
        batch_size=params.batch_size,
        device=context.device,
        should_stop=context.should_stop,
    )


def _difference(context: Context[EvaluateParams], runner: nn.Module, module: nn.Module) -> dict[str, float]:
    """How far the outputs are from those of the network as it is, in float32; nothing where it runs as it is."""
    if runner is module:
        return {}
    data = read_data(context, context.params.data)
    inputs, _ = next(batches(data.test, context.params.batch_size, device=context.device))
    apart = largest_difference(runner, module, inputs)
    return {} if apart is None else {APART: apart}
