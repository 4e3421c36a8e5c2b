"""The quality of the channel orders behind a sweep's curves, from the `permute` and `choose` artifacts in the store."""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.artifact import Manifest, Store
from jobs.measured import records
from jobs.stages.channels import OrderCertificate
from jobs.stages.table import StageKind
from orchestrator.results import Curve
from orchestrator.results.lineage import source_network


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOrder:
    """The order of one group's channels behind one curve.

    Attributes:
        model: The curve's.
        method: The curve's.
        seed: The curve's.
        group: The channel group's name.
        width: Its number of channels.
        identity_length: Total variation of the original order.
        length: Total variation along the order.
        lower_bound: Proven lower bound on the length of any order.
        gap: Optimality gap: (length - lower_bound) / length.
        status: `optimal` or `feasible`.
        solve_s: Solving time in seconds; 0 where unknown.
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
    """The orders behind the measured points of curves; none for methods that do not order channels.

    Args:
        curves: Curves from `results.collect`.
        store: The sweep's store. Damaged and missing artifacts are left out.
    """
    ancestor: dict[tuple[str, str, int], str] = {}  # a method's protocols share its orders
    for curve in curves:
        if curve.points:
            ancestor.setdefault((curve.plan.model, curve.plan.method, curve.plan.seed), curve.points[0].key)
    permuted: dict[str, Manifest] = {}
    read = set[str]()
    while unread := set(ancestor.values()) - read:
        read |= unread
        manifests, _ = store.manifests(unread)
        permuted |= {key: each for key, each in manifests.items() if each.stage in _SOURCES}
        sources = {key: source_network(each) or key for key, each in manifests.items()}
        ancestor = {curve: key if key in permuted else sources.get(key, key) for curve, key in ancestor.items()}
    return tuple(
        GroupOrder(
            model=model,
            method=method,
            seed=seed,
            solve_s=permuted[key].timings.get(certificate.group, 0.0),
            **certificate.model_dump(),
        )
        for (model, method, seed), key in ancestor.items()
        if key in permuted
        for certificate in map(OrderCertificate.model_validate, records(permuted[key].measurements, "groups"))
    )
