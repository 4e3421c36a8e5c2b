"""Stage `score`: channel importance by a criterion."""

from safetensors.torch import save
from torch import nn

from jobs.errors import BadInputError
from jobs.stages.scoring import ScoreParams
from workers.artifacts import OBSERVATION_FILE, SCORES_FILE
from workers.criteria import Evidence, find_criterion
from workers.factories import running
from workers.inputs import InputSpec
from workers.stages._base import Context, Product
from workers.stages._finite import check_finite
from workers.stages.observe import parse_observed


def run(context: Context[ScoreParams]) -> Product:
    """Score every channel of every group.

    Raises:
        BadInputError: The criterion reads another observation than the sweep file says, or gives anything but one score
            for each unit of the network.
        BadNumericsError: A score is not finite.
    """
    params, network = context.params, context.network(context.params.network)
    criterion, planned, where = find_criterion(params.criterion), params.observed, f"criterion '{params.criterion}'"
    if criterion.reads != (planned.observation if planned else None):
        says = f"`observation: {planned.observation}`" if planned else "no `observation`"
        remedy = f"set `observation: {criterion.reads}`" if criterion.reads else "remove `observation`"
        raise BadInputError(f"{where} reads {criterion.reads or 'weights alone'}; the sweep says {says}; {remedy}")
    channel_map = network.channel_map

    def module() -> tuple[nn.Module, InputSpec]:
        return network.module(), network.recipe.inputs

    evidence = Evidence(
        state=network.state,
        channel_map=channel_map,
        generator=context.generator("scores"),
        network=module,
        observed=parse_observed(context.artifacts.read(planned.artifact, OBSERVATION_FILE)) if planned else {},
    )
    with running(f"in {where}"):
        scores = criterion(evidence)
    found, expected = {group: tuple(values.shape) for group, values in scores.items()}, channel_map.widths()
    if found != {group: (width,) for group, width in expected.items()}:
        raise BadInputError(f"{where} gives scores of shapes {found}; one per unit is needed: {expected}")
    advice = "look for NaN in the network's weights"
    if ":" in params.criterion:
        advice = f"look for a division by zero or an overflow in the criterion; if there is none, {advice}"
    check_finite(scores, what=f"{where}: scores of", advice=advice)
    return Product(measurements={"groups_scored": len(scores)}, files={SCORES_FILE: save(scores)})
