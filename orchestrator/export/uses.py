"""How the files of an exported network are used: a line of its model card for each."""

from collections.abc import Collection, Iterator

from jobs.libraries import library_of
from jobs.names import TORCHVISION_DETECTION, TORCHVISION_SEGMENTATION
from workers.artifacts import QUANTIZED_FILE
from workers.export.description import ATTENTION_FILE, CONFIG_FILE, EXPORTED_WEIGHTS_FILE, LOAD_FILE
from workers.export.formats import ONNX_FILE, PROGRAM_FILE, TORCHSCRIPT_FILE
from workers.export.graph import input_names
from workers.models.detection import OWN_ARGUMENTS
from workers.models.from_torchvision import public_name
from workers.network import NetworkRecipe


def uses_of(files: Collection[str], recipe: NetworkRecipe) -> list[str]:
    """How each of the files is used, in Markdown.

    Args:
        files: The names of the files in the folder.
        recipe: The recipe of the network.
    """
    names = input_names(len(recipe.inputs.tensors))
    given = ", ".join(f"{name}={name}" for name in recipe.inputs.names) or ", ".join(names)
    fed = ", ".join(f'"{name}": {name}' for name in names)
    uses = {
        EXPORTED_WEIGHTS_FILE: f"the weights, which `{CONFIG_FILE}` describes",
        CONFIG_FILE: f"`workers.load(FOLDER)` with Orchard; without it, see `{LOAD_FILE}`",
        ATTENTION_FILE: f"an attention layer that `{LOAD_FILE}` needs",
        PROGRAM_FILE: f'`torch.export.load("{PROGRAM_FILE}").module()({given})`',
        TORCHSCRIPT_FILE: f'`torch.jit.load("{TORCHSCRIPT_FILE}")({given})`',
        **{
            name: f'`onnxruntime.InferenceSession("{name}").run(None, {{{fed}}})`'
            for name in (ONNX_FILE, QUANTIZED_FILE)
        },
    }
    return [_loading(recipe, files) if name == LOAD_FILE else uses[name] for name in files]


def _loading(recipe: NetworkRecipe, files: Collection[str]) -> str:
    """How the script loads a network, or what else does."""
    networks = list(_networks(recipe))
    if needed := [each for network in networks if (each := _of_orchard(network))]:
        programs = [name for name in (PROGRAM_FILE, ONNX_FILE) if name in files]
        without = f"; without it, use {' or '.join(programs)}" if programs else ""
        return f"needs {', '.join(needed)}, so that `workers.load(FOLDER)` loads it{without}"
    factories, remarks = zip(*(_factory(each.network) for each in networks), strict=True)
    return f"`load(FOLDER, {', '.join(factories)})`{''.join(remarks)}"


def _networks(recipe: NetworkRecipe | None) -> Iterator[NetworkRecipe]:
    """A network, its backbone, the backbone of that one ..."""
    while recipe is not None:
        yield recipe
        recipe = recipe.backbone


def _of_orchard(recipe: NetworkRecipe) -> str:
    """What only Orchard has of what builds a network; empty where others have all."""
    if ":" not in recipe.network:
        return f"the class of `{recipe.network}`, which is Orchard's"
    if recipe.network.partition(":")[2] in TORCHVISION_DETECTION:
        own = [f"`{name}`" for name in recipe.arguments if name in OWN_ARGUMENTS]
        return f"{', '.join(own)} of `{recipe.network}`, which torchvision's own does not take" if own else ""
    return ""


def _factory(network: str) -> tuple[str, str]:
    """What builds a network that is not Orchard's, as an expression, and a remark on it."""
    theirs = network.partition(":")[2]
    match library_of(network):
        case "torchvision" if theirs in TORCHVISION_SEGMENTATION:
            return _without_download(theirs), "; what it returns has the logits as `out`"
        case "torchvision" if theirs in TORCHVISION_DETECTION:
            return _without_download(theirs), "; it takes a list of images, and returns a list of mappings"
        case "torchvision":
            return public_name(theirs), ""
        case "timm":
            return f'functools.partial(timm.create_model, "{theirs}")', ""
        case "transformers":
            return "make", (
                f", where `make(**arguments)` builds transformers' {theirs} of a configuration with these arguments; "
                "what it returns has the logits as `logits`"
            )
    return theirs, f", with `{network.replace(':', '.')}`"


def _without_download(theirs: str) -> str:
    return f"functools.partial({public_name(theirs)}, weights_backbone=None)"
