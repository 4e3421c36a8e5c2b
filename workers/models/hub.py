"""Files of repositories on the Hugging Face hub, through its own cache of downloads."""

from typing import Any

from jobs.errors import BadInputError, UnfitMachineError
from jobs.libraries import missing
from jobs.weights import HubReference
from workers.reading import unreadable

_USUAL = ("model.safetensors", "pytorch_model.safetensors", "pytorch_model.bin")
"""Where repositories have their weights, the first that is there counts."""


def hub_file(reference: HubReference) -> str:
    """The path of a repository's file on this machine; it is fetched where it is not there yet.

    Raises:
        BadInputError: The repository or the file is not there.
        UnfitMachineError: The hub cannot be reached from here.
    """
    hub = _hub(reference)
    for name in (reference.file,) if reference.file else _USUAL:
        try:
            found: str = hub.hf_hub_download(reference.repository, name, revision=reference.revision)
        except hub.errors.LocalEntryNotFoundError as error:  # the hub was not reached
            raise UnfitMachineError(f"{reference}: cannot be fetched: {error}") from error
        except hub.errors.EntryNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise unreadable(error, f"{reference}: cannot be fetched: {error}") from error
        return found
    looked = reference.file or ", ".join(_USUAL)
    raise BadInputError(f"{reference}: the repository has no {looked}; name its file, hf://ORG/NAME/FILE")


def _hub(reference: HubReference) -> Any:
    if said := missing("huggingface_hub"):
        raise BadInputError(f"{reference}: {said}")
    import huggingface_hub
    import huggingface_hub.errors

    return huggingface_hub
