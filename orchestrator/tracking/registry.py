"""Registers networks of sweeps in MLflow's model registry: one version each, linked to the run of its curve."""

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.errors import BadInputError
from orchestrator.planning import PlannedCurve
from orchestrator.results import Point
from orchestrator.tracking.address import as_default, opened, resolved, version_address
from orchestrator.tracking.finding import SWEEP_TAG
from orchestrator.tracking.runs import CURVE_TAG, curve_name, find_measured

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from torch import nn

POINT_TAG = "orchard.point"
"""On a version: key of the `evaluate` task of its point."""
DIGEST_TAG = "orchard.digest"
"""On a version: SHA-256 of the weights file in the store."""
COMPRESSION_TAG = "orchard.compression"
"""On a version: the target compression."""

_DESCRIPTION_LENGTH = 5000
_WAITING = "mlflow.store.model_registry.abstract_store"  # it says that it waits
_FENCE = "\n```"
_SHORTENED = "\n\n... (shortened; the whole card is the file `extra_files/{name}` of the version)"
_NAME = re.compile(r"\w[\w\-. ]*")
_ALIAS = re.compile(r"[\w\-]{1,255}")
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelName:
    """A model in the registry.

    Attributes:
        name: Its name.
        alias: The alias that the version gets; None: no alias.
    """

    name: str
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ModelName":
        """The model of `MODEL` or `MODEL@alias`.

        Raises:
            BadInputError: MLflow refuses such a name or alias, or could not load by it.
        """
        name, separator, alias = text.partition("@")
        if not _NAME.fullmatch(name):
            raise BadInputError(
                f"'{name}' cannot be the name of a registered model; allowed are letters, digits, '_', '-', '.' and "
                "spaces, a letter or digit first: --as MODEL@alias"
            )
        if separator and not _ALIAS.fullmatch(alias):
            raise BadInputError(
                f"'{alias}' cannot be an alias; allowed are 1 to 255 letters, digits, '_' and '-': --as {name}@champion"
            )
        if _RESERVED.fullmatch(alias):
            raise BadInputError(
                f"alias '{alias}' is reserved: MLflow means the newest version, or one of that number; take another "
                f"one: --as {name}@champion"
            )
        return cls(name=name, alias=alias or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A network to be registered.

    Attributes:
        sweep: The sweep's name.
        store_id: The identity of its store.
        curve: The curve that its point is on.
        point: Its point.
        module: The network, on the CPU, in evaluation mode.
        input_shape: Shape of one image.
        card: What it is, in Markdown: the description of the version.
    """

    sweep: str
    store_id: str | None
    curve: PlannedCurve
    point: Point
    module: "nn.Module"
    input_shape: tuple[int, ...]
    card: str

    @property
    def tags(self) -> dict[str, str]:
        """What identifies it, and what it reaches."""
        metric = self.point.primary
        return {
            SWEEP_TAG: self.sweep,
            CURVE_TAG: curve_name(self.curve),
            POINT_TAG: self.point.key,
            DIGEST_TAG: self.point.digest,
            COMPRESSION_TAG: f"{self.point.asked:g}",
            f"orchard.{metric.name}": f"{self.point.value:.6g}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """A version of a registered model.

    Attributes:
        name: The model's name.
        version: The version's number.
        alias: The alias that was asked for.
        moved_from: The version that had the alias before; None where no other one had it.
        created: Whether it is new.
        address: The URL of its page; for a database, the URL once `orchard ui` serves it.
    """

    name: str
    version: str
    alias: str | None
    moved_from: str | None
    created: bool
    address: str

    @property
    def uri(self) -> str:
        """What MLflow loads it by."""
        return f"models:/{self.name}@{self.alias}" if self.alias else f"models:/{self.name}/{self.version}"


def is_logged(sweep: str, store_id: str | None, curve: PlannedCurve, point: Point, *, tracking_uri: str) -> bool:
    """Whether MLflow has a run with this point.

    Raises:
        TrackingUnavailableError: MLflow does not answer or rejects a request.
    """
    with opened(resolved(tracking_uri)) as client:
        return find_measured(client, sweep, store_id, curve, point) is not None


def register(entry: Entry, model: ModelName, *, tracking_uri: str) -> RegisteredVersion:
    """Register a network, unless a version of that model is this very network; then set the alias.

    Args:
        entry: The network, whose point is logged.
        model: The model that it becomes a version of, which is created if needed.
        tracking_uri: A server's address or a database; `~` is the home folder.

    Raises:
        TrackingUnavailableError: MLflow does not answer or rejects a request.
        BadInputError: Its point is not logged there.
        BadNetworkError: The network cannot be traced, or its logged copy gives other outputs.
    """
    uri = resolved(tracking_uri)
    with opened(uri) as client, as_default(uri):
        version = _find_version(client, model.name, entry.tags)
        created = version is None
        if version is None:
            run = find_measured(client, entry.sweep, entry.store_id, entry.curve, entry.point)
            if run is None:
                raise BadInputError(f"{curve_name(entry.curve)} is not in MLflow yet; log it with `orchard sync`")
            version = _make_version(client, run, entry, model.name)
        moved_from = _set_alias(client, model.name, model.alias, version) if model.alias else None
    return RegisteredVersion(
        name=model.name,
        version=version,
        alias=model.alias,
        moved_from=moved_from,
        created=created,
        address=version_address(uri, model.name, version),
    )


def _find_version(client: "MlflowClient", name: str, tags: dict[str, str]) -> str | None:
    """The newest version of a model that is this point's network with these weights."""
    found = client.search_model_versions(f"tag.`{POINT_TAG}` = '{tags[POINT_TAG]}'")
    numbers = [
        int(each.version) for each in found if each.name == name and each.tags.get(DIGEST_TAG) == tags[DIGEST_TAG]
    ]
    return str(max(numbers)) if numbers else None


def _set_alias(client: "MlflowClient", name: str, alias: str, version: str) -> str | None:
    """Give a version the alias; returns the version that had it before, if that is another one."""
    before = client.get_registered_model(name).aliases.get(alias)
    if str(before) == version:
        return None
    client.set_registered_model_alias(name, alias, version)
    return None if before is None else str(before)


def _make_version(client: "MlflowClient", run: "Run", entry: Entry, name: str) -> str:
    """Log the network, check the logged copy, and make a version of it; returns the version's number."""
    from mlflow.exceptions import MlflowException

    from orchestrator.tracking.flavor import CARD_FILE, log_network

    model_id = log_network(
        client,
        run,
        entry.module,
        name=name,
        input_shape=entry.input_shape,
        card=entry.card,
        tags=entry.tags,
        step=entry.point.step,
    )
    logging.getLogger(_WAITING).setLevel(logging.WARNING)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"):
            raise
    version = client.create_model_version(
        name,
        f"models:/{model_id}",
        run_id=run.info.run_id,
        tags=entry.tags,
        description=_description(entry.card, CARD_FILE),
        model_id=model_id,
    )
    return str(version.version)


def _description(card: str, name: str) -> str:
    """The card, as far as there is room for it, cut between two lines; the whole one is the file of that name."""
    if len(card) <= _DESCRIPTION_LENGTH:
        return card
    end = _SHORTENED.format(name=name)
    begun = card[: _DESCRIPTION_LENGTH - len(_FENCE) - len(end)].rpartition("\n")[0]
    return begun + _FENCE * (begun.count(_FENCE) % 2) + end
