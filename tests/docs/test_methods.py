"""The catalogue of methods names everything that a sweep file can."""

import re
from pathlib import Path
from typing import get_args

import pytest

from jobs import names
from jobs.spec.allocation import ALLOCATION_KINDS
from jobs.spec.fold import FoldMethod
from jobs.spec.integral import IntegralMethod, OrderingSpec
from jobs.spec.methods import METHOD_KINDS
from jobs.spec.protocols import PROTOCOL_KINDS
from jobs.spec.reconstruction import ReconstructionMethod
from jobs.spec.sparsity import SPARSIFY_KINDS

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"


def choices(record: type, field: str) -> tuple[str, ...]:
    return get_args(record.model_fields[field].annotation)


def section(title: str) -> str:
    """From a heading to the next one of its level or above."""
    level = "#" * next(
        len(marks) for marks, text in re.findall(r"^(#+) (.+)$", PAGE.read_text(), re.M) if text == title
    )
    after = PAGE.read_text().split(f"\n{level} {title}\n")[1]
    return re.split(rf"^#{{1,{len(level)}}} ", after, maxsplit=1, flags=re.M)[0]


@pytest.mark.parametrize(
    ("title", "known"),
    [
        ("Kinds of methods", METHOD_KINDS),
        ("Criteria", names.CRITERIA),
        ("Allocations", ALLOCATION_KINDS),
        ("Ordering", choices(OrderingSpec, "method")),
        ("Folding", choices(FoldMethod, "clustering")),
        ("Reconstruction", choices(ReconstructionMethod, "how")),
        ("Sparsity-inducing training", SPARSIFY_KINDS),
        ("Protocols", PROTOCOL_KINDS),
    ],
)
def test_every_name_has_a_row_and_no_other(title, known):
    assert sorted(re.findall(r"^\| `([^`]+)` \|", section(title), re.M)) == sorted(known)


@pytest.mark.parametrize("setting", ["partition", "quadrature", "repair"])
def test_every_way_of_sampling_is_there(setting):
    text = section("Sampling")
    assert [name for name in choices(IntegralMethod, setting) if f"`{name}`" not in text] == []


def test_predefined_widths_and_observations_are_named():
    known = (*names.CONFIGURATIONS, *names.OBSERVATIONS, *choices(OrderingSpec, "choice"))
    assert [name for name in known if f"`{name}`" not in PAGE.read_text()] == []
