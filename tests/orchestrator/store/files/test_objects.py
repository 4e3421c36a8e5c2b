import pytest
from files_suite import FilesSuite
from s3fs import S3FileSystem

from jobs.errors import BadInputError
from orchestrator.store.files import ObjectFiles


@pytest.fixture
def new_client(s3_uri):
    """fsspec gives the same client to all who ask alike, whatever the environment says by then."""
    S3FileSystem.clear_instance_cache()
    yield lambda: ObjectFiles(s3_uri)
    S3FileSystem.clear_instance_cache()


class TestObjectFiles(FilesSuite):
    @pytest.fixture
    def files(self, objects):
        return objects


def test_a_server_that_ignores_the_condition_is_refused(objects, monkeypatch):
    pipe = objects._system.pipe_file
    monkeypatch.setattr(objects._system, "pipe_file", lambda path, content, mode: pipe(path, content))
    with pytest.raises(BadInputError, match="If-None-Match"):
        objects.check()


def test_two_writers_refused_at_once_try_again(objects, monkeypatch):
    """S3 may answer 409 to writers that come at the same moment, whichever would have been first."""
    pipe, answers = objects._system.pipe_file, iter([True, False])

    vendors = RuntimeError()
    vendors.response = {"Error": {"Code": "ConditionalRequestConflict"}}

    def refuse_once(path, content, mode):
        if next(answers):
            raise OSError("conflict") from vendors
        pipe(path, content, mode=mode)

    monkeypatch.setattr(objects._system, "pipe_file", refuse_once)
    assert objects.create("a", b"1")


def test_a_missing_bucket_is_named(s3_uri):
    with pytest.raises(BadInputError, match=r"s3://nowhere/x: .*make the bucket first"):
        ObjectFiles("s3://nowhere/x").check()


def test_missing_credentials_have_a_remedy(new_client, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BadInputError, match="set AWS_ACCESS_KEY_ID"):
        new_client().check()


def test_a_server_that_is_away_is_an_input_output_error(new_client, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    files = new_client()
    files._system.retries = 1
    with pytest.raises(OSError, match="EndpointConnectionError"):
        files.read("a")


def test_segments_are_gathered_for_longer_as_a_driver_grows_old(objects, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    appender = objects.appender("log", "d")
    ages = []
    for now[0] in (0.0, 1_000.0, 100_000.0):
        ages.append(appender.interval_s)
    assert ages == [1.0, 10.0, 30.0]
