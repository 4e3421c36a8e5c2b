import pytest
from hand_made import make_curve

from orchestrator.results import Curve


@pytest.fixture
def curves() -> tuple[Curve, ...]:
    return (
        make_curve("dense", 0, {0.0: 0.98}),
        make_curve("dense", 1, {0.0: 0.96}),
        make_curve("l1", 0, {0.2: 0.9, 0.4: 0.5}),
        make_curve("l1", 1, {0.2: 0.8, 0.4: None}),
        make_curve("integral", 0, {0.2: 0.95, 0.4: None}),
        make_curve("integral", 1, {0.2: 0.95, 0.4: None}),
    )


@pytest.fixture(scope="module")
def many() -> list[Curve]:
    """Twenty models and twenty methods: nobody reads four hundred lines."""
    methods = [f"m{number:02}" for number in range(20)]
    return [
        make_curve(method, 0, {0.2: 0.9 - index / 100}, model=f"net{model:02}", note="as near as can be")
        for model in range(20)
        for index, method in enumerate(methods)
    ] + [make_curve("dense", 0, {0.0: 0.98}, model=f"net{model:02}") for model in range(20)]
