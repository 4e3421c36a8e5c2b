"""Stage `score`: what each channel is worth to a criterion."""

from safetensors.torch import save
from torch import nn

from jobs.errors import BadInputError, BadNumericsError
from workers.criteria import Evidence, find_criterion
from workers.network import read_recipe, read_state, rebuild
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels
from workers.stages.observe import read_observed

SCORES_FILE = "scores.safetensors"


def run(context: Context) -> Product:
    """Score every channel of every group.

    Params: `criterion`, `seed` (None for criteria that draw nothing); `observation`, where the criterion reads one.

    Raises:
        BadInputError: The criterion reads another observation than the sweep says, or scores other units than those of
            the network.
        BadNumericsError: A score is not finite.
    """
    name, planned = context.params["criterion"], context.params.get("observation")
    criterion = find_criterion(name)
    if criterion.reads != planned:
        says = f"`observation: {planned}`" if planned else "no `observation`"
        raise BadInputError(f"criterion '{name}' reads {criterion.reads or 'weights alone'}; the sweep says {says}")
    state, channel_map = read_state(context), read_channels(context)

    def network() -> tuple[nn.Module, tuple[int, ...]]:
        recipe = read_recipe(context)
        return rebuild(recipe, state), recipe.input_shape

    evidence = Evidence(
        state=state,
        channel_map=channel_map,
        generator=context.generator("scores"),
        network=network,
        observed=read_observed(context) if planned else {},
    )
    scores = criterion(evidence)
    found, expected = {group: tuple(values.shape) for group, values in scores.items()}, channel_map.widths()
    if found != {group: (width,) for group, width in expected.items()}:
        raise BadInputError(f"criterion '{name}' gives scores of shapes {found}; one per unit is needed: {expected}")
    broken = [group for group, values in scores.items() if not values.isfinite().all()]
    if broken:
        raise BadNumericsError(f"scores of {', '.join(broken)} are not finite; look for NaN in the network's weights")
    return Product(measurements={"groups_scored": len(scores)}, files={SCORES_FILE: save(scores)})
