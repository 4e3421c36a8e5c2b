"""One S3 server for all tests of the store; each has a prefix of its own."""

import uuid

import pytest
from servers import s3_server

from orchestrator.store.cache import CACHE_BYTES, CACHE_FOLDER
from orchestrator.store.files import ObjectFiles


@pytest.fixture(scope="session")
def s3():
    with s3_server("orchard") as environment:
        yield environment


@pytest.fixture
def s3_uri(s3, tmp_path, monkeypatch) -> str:
    """An empty place on the server, found by the environment, as on a user's machine."""
    for name, value in {**s3, CACHE_FOLDER: str(tmp_path / "cache"), CACHE_BYTES: "1000000"}.items():
        monkeypatch.setenv(name, value)
    return f"s3://orchard/{uuid.uuid4().hex}"


@pytest.fixture
def objects(s3_uri) -> ObjectFiles:
    return ObjectFiles(s3_uri)
