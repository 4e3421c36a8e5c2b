"""The libraries whose networks a sweep may name, `LIBRARY:NAME`; what is missing is found without importing it."""

import importlib.util
from collections.abc import Mapping

LIBRARIES = ("torchvision", "timm", "transformers")
"""Prefixes of names of networks that are neither ours nor the user's own."""

ATTACKS_LIBRARY = "pyautoattack"
"""The package behind the attacks of kind `autoattack`."""

_EXTRAS: Mapping[str, str] = {
    "timm": "timm",
    "transformers": "transformers",
    "huggingface_hub": "hub",
    "datasets": "datasets",
    "s3fs": "s3",
    "gcsfs": "gcs",
    "adlfs": "azure",
    ATTACKS_LIBRARY: "attacks",
}
"""Optional packages, and the extra of Orchard that brings each."""


def library_of(network: str) -> str | None:
    """The library that a network's name begins with; None for ours and for the user's own."""
    prefix, colon, _ = network.partition(":")
    return prefix if colon and prefix in LIBRARIES else None


def is_own(name: str) -> bool:
    """Whether a name is an import path of the user's own, `package.module:callable`."""
    return ":" in name and library_of(name) is None


def missing(package: str) -> str | None:
    """What to say where an optional package is not installed on this machine; None where it is."""
    if package not in _EXTRAS or importlib.util.find_spec(package) is not None:
        return None
    return f"{package} is not installed here; pip install 'orchard[{_EXTRAS[package]}]', on the workers, too"
