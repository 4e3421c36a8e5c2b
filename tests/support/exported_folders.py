"""Folders as an export writes them, without the programs."""

from hashlib import sha256
from pathlib import Path

from torch import Tensor, nn

from workers.export import load_script
from workers.export.description import (
    CONFIG_FILE,
    EXPORTED_WEIGHTS_FILE,
    Backbone,
    NetworkDescription,
    WeightsFile,
)
from workers.export.structure import Shapes, rebuild_compared
from workers.network import NetworkRecipe, state_bytes


def write_folder(
    folder: Path, recipe: NetworkRecipe, state: dict[str, Tensor], original: Shapes | None = None
) -> nn.Module:
    """Write the description, the weights and the script of a network; gives the network."""
    module, structure = rebuild_compared(recipe, state, original)
    weights = state_bytes(state)
    description = NetworkDescription(
        network=recipe.network,
        arguments=recipe.arguments,
        inputs=recipe.inputs,
        normalize=None,
        weights=WeightsFile(file=EXPORTED_WEIGHTS_FILE, sha256=sha256(weights).hexdigest()),
        folded=recipe.folded,
        resized=structure.resized,
        attributes=structure.attributes,
        backbone=Backbone.of(recipe),
    )
    (folder / CONFIG_FILE).write_text(description.to_json())
    (folder / EXPORTED_WEIGHTS_FILE).write_bytes(weights)
    (folder / "load.py").write_bytes(Path(load_script.__file__).read_bytes())
    return module
