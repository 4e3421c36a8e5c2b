from collections.abc import Iterator

import pytest

from benchmarks.chaos.postgresql import Postgres, program


@pytest.fixture
def uri(database) -> str:
    return database


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this run's own, without a database for MLflow."""
    if program("postgres") is None:
        pytest.skip("no server; apt-get install postgresql")
    with Postgres() as server:
        yield server
