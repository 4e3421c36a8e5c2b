"""`config.json`: what an exported network is rebuilt from, besides its weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jobs.errors import BadInputError
from jobs.identity import Json
from workers.export.sparsity import Sparsity
from workers.export.structure import Attributes, Shapes
from workers.inputs import InputSpec
from workers.network import NetworkRecipe

ATTENTION_FILE = "headwise.py"
"""The attention layer of a network that has other numbers of heads than torch's own layer can have."""

CONFIG_FILE = "config.json"
"""Name of the description in the folder of an exported network."""

EXPORTED_WEIGHTS_FILE = "model.safetensors"
"""Name of the weights there."""

LOAD_FILE = "load.py"
"""Name of the script there that loads the network without Orchard."""

FORMAT = "orchard network 1"
"""The `format` of a description; the number rises where older programs could not read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """The file of the weights: its name, and its digest, SHA-256."""

    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """How many channels of a group are left, of how many."""

    left: int
    full: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalization:
    """What is done to images whose pixels are in [0, 1]: by channel, the mean is subtracted, then `std` divided by."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """What a network is built around.

    Attributes:
        network: As of `NetworkDescription`.
        arguments: As there.
        folded: As there, of the pairs that were folded before the other network was built around it.
        backbone: What it is built around itself.
    """

    network: str
    arguments: Mapping[str, Json]
    folded: tuple[tuple[str, str], ...]
    backbone: "Backbone | None" = None

    @classmethod
    def of(cls, recipe: NetworkRecipe) -> "Backbone | None":
        """That of a network; None for a network by itself."""
        if (inner := recipe.backbone) is None:
            return None
        return cls(network=inner.network, arguments=inner.arguments, folded=inner.folded, backbone=cls.of(inner))


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkDescription:
    """The description of an exported network.

    Attributes:
        network: Name of the network, as in the sweep file.
        arguments: Its keyword arguments.
        inputs: What it takes; written as `input_shape` where that is one image (channels, height, width).
        normalize: What is done to images before the network sees them; None: pixels in [0, 1].
        weights: The file of its tensors.
        folded: (layer, batch norm) pairs whose norm was folded into the layer.
        resized: Name of a tensor that was made smaller -> its shape in the network as it is built.
        attributes: Name of a module -> attribute -> value, for those that are not as they are built.
        backbone: What it is built around, the argument `backbone`; None for a network by itself.
        widths: By channel group.
        masks: Name of a parameter that lost single weights -> what is left of it.
    """

    network: str
    arguments: Mapping[str, Json]
    inputs: InputSpec
    normalize: Normalization | None
    weights: WeightsFile
    folded: tuple[tuple[str, str], ...]
    resized: Shapes
    attributes: Attributes
    backbone: Backbone | None = None
    widths: Mapping[str, Width] = field(default_factory=dict)
    masks: Mapping[str, Sparsity] = field(default_factory=dict)

    def to_json(self) -> str:
        """The content of `config.json`, an entry a line."""
        fields: dict[str, Json] = {"format": FORMAT}
        for name, value in asdict(self).items():
            fields |= self.inputs.document() if name == "inputs" else {name: value}
        return "{\n" + ",\n".join(f" {json.dumps(name)}: {_lines(value)}" for name, value in fields.items()) + "\n}\n"


def _lines(value: object) -> str:
    """A value as JSON; of a mapping of mappings or lists, a line each."""
    if not isinstance(value, dict) or not any(isinstance(each, dict | list | tuple) for each in value.values()):
        return json.dumps(value)
    return "{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in value.items()) + "\n }"


def is_export(folder: Path) -> bool:
    """Whether a folder has the description of an exported network."""
    try:
        read_config(folder)
    except BadInputError:
        return False
    return True


def read_config(folder: Path) -> Mapping[str, Json]:
    """The description in a folder, parsed.

    Raises:
        BadInputError: There is none, or it is not one of an exported network that this version reads.
    """
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path}: cannot be read ({error}); name a folder that `orchard export` wrote") from None
    found = config.get("format") if isinstance(config, dict) else None
    if found != FORMAT:
        raise BadInputError(f"{path}: its format is {found!r}; '{FORMAT}' is read, which `orchard export` writes")
    result: Mapping[str, Json] = config
    return result
