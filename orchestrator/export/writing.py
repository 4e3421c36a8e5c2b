"""Writes the folder of an exported network."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from jobs.errors import BadInputError
from jobs.stages.table import StageKind
from orchestrator.export.card import model_card
from orchestrator.export.chosen import ChosenNetwork, repairable
from orchestrator.store import ArtifactStore
from workers.artifacts import QUANTIZED_FILE
from workers.channels import headwise
from workers.channels.headwise import HeadwiseAttention
from workers.export import load_script
from workers.export.description import (
    ATTENTION_FILE,
    CONFIG_FILE,
    EXPORTED_WEIGHTS_FILE,
    LOAD_FILE,
    Backbone,
    NetworkDescription,
    Normalization,
    WeightsFile,
    Width,
)
from workers.export.folder import whole_folder
from workers.export.formats import ONNX_FILE, PROGRAM_FILE, TORCHSCRIPT_FILE, ExportedFile, write_formats
from workers.export.sparsity import sparsity_of

CARD_FILE = "README.md"
"""Name of the model card."""

_NAMES = frozenset(
    {CARD_FILE, CONFIG_FILE, EXPORTED_WEIGHTS_FILE, LOAD_FILE, ONNX_FILE, PROGRAM_FILE, QUANTIZED_FILE}
    | {ATTENTION_FILE, TORCHSCRIPT_FILE, "__pycache__"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What an export writes besides the usual, and over what.

    Attributes:
        force: Replace an earlier export.
        torchscript: Write TorchScript, too.
        tensorrt: Say in the card how TensorRT builds an engine.
        int8: Add the quantised ONNX graph of the sweep.
    """

    force: bool = False
    torchscript: bool = False
    tensorrt: bool = False
    int8: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        files: The files, as the card lists them.
        missing: Name of a file -> why it could not be written.
    """

    files: tuple[ExportedFile, ...]
    missing: Mapping[str, str]


def export_network(chosen: ChosenNetwork, store: ArtifactStore, folder: Path, options: ExportOptions) -> Exported:
    """Write a network's folder, as a whole or not at all.

    Args:
        chosen: The network.
        store: The store of its sweep.
        folder: The folder.
        options: What is written.

    Raises:
        BadInputError: The folder exists, or the sweep has not quantised the network.
        OrchardError: The quantised graph is damaged.
    """
    with whole_folder(folder, _NAMES, force=options.force) as made:
        contents = {
            EXPORTED_WEIGHTS_FILE: chosen.weights,
            CONFIG_FILE: describe(chosen).to_json().encode(),
            LOAD_FILE: Path(load_script.__file__).read_bytes(),
        }
        if any(isinstance(each, HeadwiseAttention) for each in chosen.module.modules()):
            contents[ATTENTION_FILE] = Path(headwise.__file__).read_bytes()
        if options.int8:
            contents[QUANTIZED_FILE] = _quantized(chosen, store)
        for name, content in contents.items():
            (made / name).write_bytes(content)
        names = [PROGRAM_FILE, ONNX_FILE, *([TORCHSCRIPT_FILE] if options.torchscript else [])]
        written, missing = write_formats(names, made, chosen.module, chosen.recipe.inputs)
        files = [*(ExportedFile(name=name, size_bytes=len(content)) for name, content in contents.items()), *written]
        card = model_card(chosen, files, missing, tensorrt=options.tensorrt).encode()
        (made / CARD_FILE).write_bytes(card)
    return Exported(files=(*files, ExportedFile(name=CARD_FILE, size_bytes=len(card))), missing=missing)


def describe(chosen: ChosenNetwork) -> NetworkDescription:
    """What `config.json` says of a network."""
    normalize = chosen.record.data_of(chosen.selected.curve).get("normalize")
    channels = chosen.selected.point.kept.get("channels")
    return NetworkDescription(
        network=chosen.recipe.network,
        arguments=chosen.recipe.arguments,
        inputs=chosen.recipe.inputs,
        normalize=Normalization(**normalize) if normalize else None,
        weights=WeightsFile(file=EXPORTED_WEIGHTS_FILE, sha256=sha256(chosen.weights).hexdigest()),
        folded=chosen.recipe.folded,
        resized=chosen.structure.resized,
        attributes=chosen.structure.attributes,
        backbone=Backbone.of(chosen.recipe),
        widths={name: Width(left=channels.left[name], full=full) for name, full in channels.full.items()}
        if channels
        else {},
        masks=sparsity_of(chosen.module.state_dict(), chosen.masks),
    )


def _quantized(chosen: ChosenNetwork, store: ArtifactStore) -> bytes:
    """The quantised graph that the sweep has measured."""
    point = chosen.selected.point
    key = next((each.key for each in point.further if each.stage == StageKind.QUANTIZE.value), None)
    if key is None:
        raise BadInputError(
            f"{chosen.selected.candidate.label}: the sweep has not quantised it; add `measure: {{quantize: [int8]}}` "
            "to the sweep file and run it again, or leave out --int8"
        )
    with repairable(chosen.record, store):
        return store.read(key, QUANTIZED_FILE)
