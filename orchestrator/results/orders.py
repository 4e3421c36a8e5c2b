"""How good the channel orders are that a sweep's curves rest on: a row per curve and channel group.

They are read from the store, from the `permute` and `choose` artifacts that the measured points were made of. This
module knows neither MLflow nor files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.artifact import Manifest, Store
from jobs.measured import records
from jobs.stages.channels import OrderCertificate
from jobs.stages.table import StageKind
from orchestrator.results import Curve
from orchestrator.results.lineage import network_behind


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOrder:
    """The order of one group's channels under one curve.

    Attributes:
        model: The curve's.
        method: The curve's.
        seed: The curve's.
        group: The channel group's name.
        width: Its channels.
        identity_length: Total variation before: of the order that the channels came in.
        length: Total variation after.
        lower_bound: Proven: no order is shorter.
        gap: How far the length may be from the shortest, as a fraction of itself.
        status: `optimal` or `feasible`.
        solve_s: Seconds that it took; 0 where unknown.
    """

    model: str
    method: str
    seed: int
    group: str
    width: int
    identity_length: float
    length: float
    lower_bound: float
    gap: float
    status: str
    solve_s: float


_SOURCES = (StageKind.PERMUTE, StageKind.CHOOSE)


def collect_orders(curves: Sequence[Curve], store: Store) -> tuple[GroupOrder, ...]:
    """The orders under the measured points of curves; curves whose channels keep no order have none.

    Args:
        curves: As `results.collect` gives them.
        store: Where their points are. What is damaged or gone is left out.
    """
    at: dict[tuple[str, str, int], str] = {}  # a method's protocols share its orders
    for curve in curves:
        if curve.points:
            at.setdefault((curve.plan.model, curve.plan.method, curve.plan.seed), curve.points[0].key)
    permuted: dict[str, Manifest] = {}
    read = set[str]()
    while unread := set(at.values()) - read:
        read |= unread
        manifests, _ = store.manifests(unread)
        permuted |= {key: each for key, each in manifests.items() if each.stage in _SOURCES}
        sources = {key: network_behind(each) or key for key, each in manifests.items()}
        at = {named: key if key in permuted else sources.get(key, key) for named, key in at.items()}
    return tuple(
        GroupOrder(
            model=model,
            method=method,
            seed=seed,
            solve_s=permuted[key].timings.get(certificate.group, 0.0),
            **certificate.model_dump(),
        )
        for (model, method, seed), key in at.items()
        if key in permuted
        for certificate in map(OrderCertificate.model_validate, records(permuted[key].measurements, "groups"))
    )
