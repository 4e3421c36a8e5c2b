import pytest


@pytest.fixture
def uri(database) -> str:
    return database
