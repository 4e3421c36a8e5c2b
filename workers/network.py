"""Networks as artifacts: a recipe that rebuilds the module, and its tensors. No pickles.

`network.json` says how the module is built and which batch norms were folded; `weights.safetensors` holds every
tensor of the state, in whatever sizes pruning left it. Loading needs no analysis of channels.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from jobs.artifact import Manifest
from jobs.errors import BadInputError
from jobs.identity import Json, Parsed
from workers.artifacts import CHANNELS_FILE, MASKS_FILE, RECIPE_FILE, WEIGHTS_FILE, ArtifactReader
from workers.channels import (
    ChannelMap,
    SizeAttribute,
    apply_folding_structure,
    attach,
    build_resized,
    can_unfold,
    load_resized,
    unfold_state,
)
from workers.inputs import InputSpec
from workers.measure import count_macs, num_parameters, size_bytes
from workers.models import build, with_plain_weights

_OPTIONAL = ("backbone", "parts", "applications")
"""Fields of a recipe that are written only where they say something."""

_NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecipe:
    """The recipe to rebuild a module.

    Attributes:
        network: Name of the network, as in the sweep file.
        arguments: Its keyword arguments.
        inputs: What it takes.
        folded: (layer, batch norm) pairs whose norm was folded into the layer.
        backbone: Of the module that it is built around; None for a network by itself.
        parts: The parts whose channels may go, of a network that cannot be traced whole; empty for all others.
        applications: Of such a network, and of one around a backbone, how often one sample is multiplied by every
            number of a layer's weight when nothing is pruned. MACs of smaller networks are counted with it, since the
            number of boxes that a detector looks at changes with every weight.
        attributes: Whole numbers in its modules that follow from the widths of channel groups.
    """

    network: str
    arguments: Mapping[str, Json]
    inputs: InputSpec
    folded: tuple[tuple[str, str], ...] = ()
    backbone: "NetworkRecipe | None" = None
    parts: tuple[str, ...] = ()
    applications: Mapping[str, int] = field(default_factory=dict)
    attributes: tuple[SizeAttribute, ...] = ()

    @classmethod
    def from_json(cls, content: bytes | str) -> "NetworkRecipe":
        """The recipe that `network.json` holds."""
        return cls._of(json.loads(content))

    @classmethod
    def _of(cls, value: Parsed) -> "NetworkRecipe":
        return cls(
            network=value["network"],
            arguments=value["arguments"],
            inputs=InputSpec.from_document(value),
            folded=tuple((layer, norm) for layer, norm in value["folded"]),
            backbone=cls._of(value["backbone"]) if value.get("backbone") else None,
            parts=tuple(value.get("parts", ())),
            applications=value.get("applications", {}),
            attributes=tuple(SizeAttribute.from_json(each) for each in value.get("attributes", ())),
        )

    def to_json(self) -> bytes:
        """The content of `network.json`."""
        document = self._document()
        return json.dumps({name: each for name, each in document.items() if each or name not in _OPTIONAL}).encode()

    def _document(self) -> dict[str, Json]:
        document: dict[str, Json] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, InputSpec):
                document |= value.document()
            elif each.name == "attributes":
                document |= {each.name: [record.to_json() for record in value]} if value else {}
            else:
                document[each.name] = value._document() if isinstance(value, NetworkRecipe) else value
        return document

    def construct(self) -> nn.Module:
        """The module at its full widths with random weights from torch's generator, its own folded norms in place.

        Weights that it would compute in every pass are plain parameters (see `with_plain_weights`).
        It knows which of its attributes follow from its tensors.

        Raises:
            BadInputError: It cannot be built.
        """
        backbone = None
        if self.backbone is not None:
            backbone = self.backbone.construct()
            apply_folding_structure(backbone, list(self.backbone.folded))
        module = with_plain_weights(build(self.network, self.arguments, backbone=backbone))
        attach(module, self.attributes)
        return module


class StoredNetwork:
    """The network of an artifact, read lazily and cached.

    Args:
        artifacts: Reader of its files.
        key: Key of the task that made it.
    """

    def __init__(self, artifacts: ArtifactReader, key: str) -> None:
        self._artifacts, self.key = artifacts, key

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the artifact."""
        return self._artifacts.manifest(self.key)

    @property
    def measured(self) -> Mapping[str, Json]:
        """The measurements of its task."""
        return self.manifest.measurements

    @cached_property
    def recipe(self) -> NetworkRecipe:
        """The recipe of its module."""
        return NetworkRecipe.from_json(self.read(RECIPE_FILE))

    @cached_property
    def state(self) -> Mapping[str, Tensor]:
        """Its tensors, on the CPU; not to be written to."""
        return load(self.read(WEIGHTS_FILE))

    @cached_property
    def masks(self) -> Mapping[str, Tensor]:
        """Masks of its weights, on the CPU; empty if no single weight was removed."""
        return load(self.read(MASKS_FILE)) if self.has(MASKS_FILE) else {}

    @cached_property
    def channel_map(self) -> ChannelMap:
        """Its channel groups, as `convert` found them."""
        return ChannelMap.from_json(json.loads(self.read(CHANNELS_FILE)))

    def module(self, device: torch.device | str = "cpu") -> nn.Module:
        """The network itself, in evaluation mode, on a device; a new one at every call."""
        return rebuild(self.recipe, self.state).to(device)

    def has(self, name: str) -> bool:
        """Whether its artifact has such a file."""
        return name in self.manifest.files

    def read(self, name: str) -> bytes:
        """A file of its artifact; raises as `ArtifactReader.read` does."""
        return self._artifacts.read(self.key, name)


def network_files(
    recipe: NetworkRecipe, state: Mapping[str, Tensor], masks: Mapping[str, Tensor] | None = None
) -> dict[str, bytes]:
    """The files of a network artifact.

    Args:
        recipe: The recipe of the module.
        state: Its tensors.
        masks: Masks of its weights, if single weights were removed.

    Raises:
        ValueError: A weight that was removed is not zero.
    """
    for name, mask in (masks or {}).items():
        filled = int(state[name].masked_fill(mask.to(state[name].device), 0).count_nonzero())
        if filled:
            raise ValueError(f"{name}: {filled} of the weights that were removed are not zero")
    files = {RECIPE_FILE: recipe.to_json(), WEIGHTS_FILE: state_bytes(state)}
    return {**files, MASKS_FILE: state_bytes(masks)} if masks else files


def state_bytes(state: Mapping[str, Tensor]) -> bytes:
    """A state as the bytes of a safetensors file."""
    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()})


def rebuild(recipe: NetworkRecipe, state: Mapping[str, Tensor]) -> nn.Module:
    """The module of a recipe with the tensors of a state, in evaluation mode, on the CPU.

    Raises:
        BadInputError: The network cannot be built.
    """
    module = whole_network(recipe)
    load_resized(module, state)
    return module


def whole_network(recipe: NetworkRecipe) -> nn.Module:
    """The module of a recipe at its full widths with random weights, in evaluation mode, on the CPU.

    Raises:
        BadInputError: The network cannot be built.
    """
    with torch.random.fork_rng(devices=[]):
        module = recipe.construct()
    apply_folding_structure(module, list(recipe.folded))
    return module.eval()


def unfold(
    recipe: NetworkRecipe, state: Mapping[str, Tensor], means: Mapping[str, Tensor], variances: Mapping[str, Tensor]
) -> tuple[nn.Module, NetworkRecipe]:
    """The same network with the batch norms that were folded, where they learn; others stay folded.

    Args:
        recipe: The recipe of the folded network.
        state: Its tensors.
        means: Layer -> mean of each of its outputs, as the network computes them; a norm of a layer that is missing
            stays folded, too.
        variances: Layer -> their variances.

    Returns:
        The module, in evaluation mode, on the CPU, and its recipe.
    """
    whole = whole_network(replace(recipe, folded=()))
    pairs = [(layer, norm) for layer, norm in recipe.folded if layer in means and can_unfold(whole, norm)]
    recipe = replace(recipe, folded=tuple(pair for pair in recipe.folded if pair not in pairs))
    return rebuild(recipe, unfold_state(state, pairs, means, variances, whole)), recipe


def start_anew(recipe: NetworkRecipe, state: Mapping[str, Tensor]) -> tuple[nn.Module, NetworkRecipe]:
    """A network's architecture with the initial weights of one built at its widths.

    Of the state only shapes are used, and the index lists of channel selections.

    Folded batch norms are restored, as wide as their layers. Weights are drawn from torch's global generator.

    Returns:
        The module, in evaluation mode, on the CPU, and its recipe.

    Raises:
        BadInputError: The network cannot be built, or not at these widths.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for layer, norm in recipe.folded:
        shapes |= {f"{norm}.{name}": shapes[f"{layer}.weight"][:1] for name in _NORM_TENSORS}
    recipe = replace(recipe, folded=())
    try:
        fresh = build_resized(recipe.construct, shapes)
    except ValueError as error:
        raise BadInputError(
            f"network '{recipe.network}': cannot be started anew at its pruned widths: {error}"
        ) from error
    numbers = {name: state[name] for name in fresh.state_dict() if _is_index_list(state.get(name))}
    return rebuild(recipe, fresh.state_dict() | numbers), recipe


def _is_index_list(tensor: Tensor | None) -> bool:
    """Whether a tensor is the index list of a channel selection, rather than a weight or a counter."""
    return tensor is not None and tensor.dtype is torch.int64 and tensor.ndim > 0


def sizes(module: nn.Module, recipe: NetworkRecipe, masks: Mapping[str, Tensor] | None = None) -> dict[str, int]:
    """`params`, `macs` (of one sample) and `size_bytes` of a network.

    Single weights that were removed count neither as parameters nor for MACs, but their zeros count as bytes.
    """
    return {
        "params": num_parameters(module, masks or {}),
        "macs": _macs(module, recipe, masks or {}),
        "size_bytes": size_bytes(module.state_dict()),
    }


def _macs(module: nn.Module, recipe: NetworkRecipe, masks: Mapping[str, Tensor]) -> int:
    if not recipe.applications:
        return count_macs(module, recipe.inputs, masks)
    return sum(
        times * (int(masks[name].sum()) if name in masks else module.get_parameter(name).numel())
        for name, times in recipe.applications.items()
    )
