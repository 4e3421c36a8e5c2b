"""Stage `score`: what each channel is worth to a criterion."""

from safetensors.torch import save

from jobs.errors import BadNumericsError
from workers.criteria import CRITERIA
from workers.network import read_state
from workers.stages._base import Context, Product
from workers.stages._channels import read_channels

SCORES_FILE = "scores.safetensors"


def run(context: Context) -> Product:
    """Score every channel of every group.

    Params: `criterion`, `seed` (None for criteria that draw nothing).

    Raises:
        BadNumericsError: A score is not finite.
    """
    criterion = CRITERIA[context.params["criterion"]]
    scores = criterion(read_state(context), read_channels(context), context.generator("scores"))
    broken = [name for name, values in scores.items() if not values.isfinite().all()]
    if broken:
        raise BadNumericsError(f"scores of {', '.join(broken)} are not finite; look for NaN in the network's weights")
    return Product(measurements={"groups_scored": len(scores)}, files={SCORES_FILE: save(scores)})
