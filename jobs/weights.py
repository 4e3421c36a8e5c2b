"""What a sweep file may say of where weights come from, and what identifies them in a key.

A word (`pretrained`, `pretrained:SET`, `own`), a repository of the Hugging Face hub, or a file. Nothing is downloaded.
"""

import re
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jobs.errors import BadInputError
from jobs.fingerprint import fingerprint
from jobs.libraries import library_of, missing

PRETRAINED = "pretrained"
OWN = "own"
_HUB = "hf://"
_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".safetensors")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REFERENCE = re.compile(r"hf://([\w.\-]+/[\w.\-]+)(?:@([\w.\-]+))?(?:/(.+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointReading:
    """How a checkpoint is read where that does not follow from its names of tensors.

    Attributes:
        key: Where in it the tensors are, dotted.
        prefix: What their names begin with and the network's do not.
        replace_head: Layers that it has for another number of classes get fresh weights.
    """

    key: str | None = None
    prefix: str | None = None
    replace_head: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubReference:
    """A repository of the Hugging Face hub: `hf://ORG/NAME[@REVISION][/FILE]`.

    Attributes:
        repository: `ORG/NAME`.
        revision: A branch, a tag or a commit.
        file: The file in it; None: the one that such a repository usually has.
    """

    repository: str
    revision: str = "main"
    file: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which cannot change."""
        return _COMMIT.fullmatch(self.revision) is not None

    @classmethod
    def parse(cls, reference: str) -> "HubReference":
        """The reference that a text is.

        Raises:
            BadInputError: It is not of that form.
        """
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            raise BadInputError(f"'{reference}' is no reference to the hub; write hf://ORG/NAME[@REVISION][/FILE]")
        return cls(repository=found[1], revision=found[2] or "main", file=found[3])

    def __str__(self) -> str:
        return f"{_HUB}{self.repository}@{self.revision}" + (f"/{self.file}" if self.file else "")

    def pinned(self) -> "HubReference":
        """The same with the commit that its revision is now, which the hub is asked for unless it is one already.

        Raises:
            BadInputError: The hub has no such repository or revision, or cannot be reached.
        """
        if self.is_pinned:
            return self
        if said := missing("huggingface_hub"):
            raise BadInputError(f"{self}: {said}")
        from huggingface_hub import HfApi

        try:
            commit = HfApi().repo_info(self.repository, revision=self.revision).sha
        except (OSError, ValueError) as error:
            raise BadInputError(
                f"{self}: the hub does not say which commit that is ({error}); check the name, or give the commit "
                f"yourself: {_HUB}{self.repository}@COMMIT"
            ) from error
        return replace(self, revision=commit or self.revision)


def is_hub(weights: str) -> bool:
    """Whether weights are a repository of the Hugging Face hub."""
    return weights.startswith(_HUB)


def is_pretrained(weights: str) -> bool:
    """Whether weights are a set that the network's library publishes."""
    return weights == PRETRAINED or weights.startswith(f"{PRETRAINED}:")


def brings_arguments(weights: str, network: str) -> bool:
    """Whether weights also say how their network is built, beside what the sweep file says."""
    match library_of(network):
        case "torchvision":
            return is_pretrained(weights)
        case "transformers":
            return is_hub(weights) and HubReference.parse(weights).file is None
        case _:
            return False


def set_of(weights: str) -> str | None:
    """The set of `pretrained:SET`; None for the library's default."""
    return weights.partition(":")[2] or None


def is_file(weights: str) -> bool:
    """Whether weights are a file, at a path or a URI."""
    return weights != OWN and not is_pretrained(weights) and not is_hub(weights)


def weights_fingerprint(weights: str, network: str) -> str:
    """What identifies weights in a key: a file by its content, a repository by its commit, a set by its library.

    Args:
        weights: As the sweep file has them.
        network: The network that they are for.

    Raises:
        BadInputError: The file or repository cannot be found, or it is a folder.
    """
    if is_hub(weights):
        return str(HubReference.parse(weights).pinned())
    if is_pretrained(weights):
        return f"{library_version(library_of(network) or '')} {weights}"
    if weights == OWN:
        return OWN
    folder = Path(weights.removeprefix("file://"))
    if folder.is_dir():
        found = sorted(each.name for each in folder.iterdir() if each.suffix in _SUFFIXES)
        inside = f"; in it are {', '.join(found[:5])}" if found else ""
        raise BadInputError(f"{weights} is a folder; name the file of the weights{inside}")
    return fingerprint(weights, whole=True)


def library_version(library: str) -> str:
    """A library and its version, such as `timm 1.0.31`: what it gives differs between versions."""
    try:
        return f"{library} {version(library)}"
    except (PackageNotFoundError, ValueError):
        return f"{library} not installed"
