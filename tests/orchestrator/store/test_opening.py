import subprocess
import sys

import pytest

from jobs.errors import BadInputError
from orchestrator.store import open_store, resolve_storage
from orchestrator.store.files import FolderFiles


def test_the_home_folder_and_relative_paths_become_absolute(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.chdir(tmp_path)
    assert resolve_storage("~/store") == "/home/someone/store"
    assert resolve_storage("file:///data/store") == "/data/store"
    assert resolve_storage("store") == str(tmp_path / "store")
    assert isinstance(open_store("store").files, FolderFiles)


def test_an_object_store_keeps_its_uri():
    assert resolve_storage("s3://bucket/a/b/") == "s3://bucket/a/b"


@pytest.mark.parametrize("uri", ["ftp://host/x", "http://host/x", "memory://x"])
def test_places_where_a_reader_may_see_half_a_file_are_refused(uri):
    with pytest.raises(BadInputError, match=r"not supported; give a folder .* s3://"):
        resolve_storage(uri)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BadInputError, match=r"s3fs is not installed here; pip install 'orchard\[s3\]'"):
        resolve_storage("s3://bucket/x")
    with pytest.raises(BadInputError, match=r"gcsfs is not installed here; pip install 'orchard\[gcs\]'"):
        resolve_storage("gs://bucket/x")
    with pytest.raises(BadInputError, match=r"adlfs is not installed here; pip install 'orchard\[azure\]'"):
        resolve_storage("az://bucket/x")


def test_an_empty_address_is_no_folder():
    with pytest.raises(BadInputError, match="storage: is empty; give a folder"):
        resolve_storage(" ")


def test_variables_are_filled_in(monkeypatch):
    monkeypatch.setenv("BUCKET", "bucket/a")
    assert resolve_storage("s3://${BUCKET}/b") == "s3://bucket/a/b"


@pytest.mark.parametrize("uri", ["s3://key:planted-secret@bucket/x", "az://c/x?sig=planted-secret"])
def test_credentials_in_an_address_are_refused_and_not_repeated(uri):
    with pytest.raises(BadInputError, match="AWS_SECRET_ACCESS_KEY") as caught:
        resolve_storage(uri)
    assert "planted-secret" not in str(caught.value)


def test_a_bucket_has_to_be_named():
    with pytest.raises(BadInputError, match="names no bucket"):
        resolve_storage("s3:///")


def test_a_folder_needs_no_object_store_client():
    script = (
        "import sys; from orchestrator.store import open_store; open_store('x').present(['ab'])\n"
        "print([name for name in ('fsspec', 's3fs', 'botocore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(BadInputError, match=r"storage: .*/file is a file; give a folder"):
            open_store(path)


@pytest.mark.parametrize("uri", ["s3:/bucket/x", "gs:bucket/x", "file:/data"])
def test_an_address_with_a_slash_too_few_is_no_folder(uri):
    scheme, _, rest = uri.partition(":")
    with pytest.raises(BadInputError, match=f"would be a folder; write {scheme}://{rest.lstrip('/')}"):
        resolve_storage(uri)
