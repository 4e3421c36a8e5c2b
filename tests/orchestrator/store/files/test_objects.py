import pytest
from files_suite import FilesSuite

from jobs.errors import BadInputError
from orchestrator.store.files import ObjectFiles


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

    class Conflict(Exception):
        response = {"Error": {"Code": "ConditionalRequestConflict"}}

    def refuse_once(path, content, mode):
        if next(answers):
            raise OSError("conflict") from Conflict()
        pipe(path, content, mode=mode)

    monkeypatch.setattr(objects._system, "pipe_file", refuse_once)
    assert objects.create("a", b"1")


def test_a_missing_bucket_is_named(s3_uri):
    with pytest.raises(BadInputError, match="s3://nowhere/x: .*make the bucket first"):
        ObjectFiles("s3://nowhere/x").check()


def test_missing_credentials_have_a_remedy(s3_uri, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises((BadInputError, PermissionError)):
        ObjectFiles(s3_uri).check()


def test_a_server_that_is_away_is_an_input_output_error(s3_uri, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    files = ObjectFiles(s3_uri)
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
