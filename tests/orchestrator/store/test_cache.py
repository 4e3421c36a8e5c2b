import hashlib
import os

import pytest

from jobs.errors import BadInputError
from orchestrator.store.cache import CACHE_BYTES, CACHE_FOLDER, BlobCache, cache_of_this_machine
from workers.file_cache import FileCache


def blob(number: int, size: int = 100) -> tuple[str, bytes]:
    content = bytes([number]) * size
    return hashlib.sha256(content).hexdigest(), content


def used_at(cache: BlobCache, digest: str, second: int) -> None:
    os.utime(cache._files.path(digest), (second, second))


def test_what_was_put_is_got_by_any_process(tmp_path):
    digest, content = blob(1)
    BlobCache(FileCache(tmp_path, 1000)).put(digest, content)
    assert BlobCache(FileCache(tmp_path, 1000)).get(digest) == content
    assert BlobCache(FileCache(tmp_path, 1000)).get(blob(2)[0]) is None


def test_what_was_unused_for_longest_goes_first(tmp_path):
    cache = BlobCache(FileCache(tmp_path, 350))
    blobs = [blob(number) for number in range(4)]
    for second, (digest, content) in enumerate(blobs[:3]):
        cache.put(digest, content)
        used_at(cache, digest, second)
    cache.get(blobs[0][0])  # now it is the youngest
    cache.put(*blobs[3])
    # 400 bytes are over the bound; down to 90 % of 350, one has to go.
    assert [cache.get(digest) is not None for digest, _ in blobs] == [True, False, True, True]


def test_the_bound_holds_whatever_comes(tmp_path):
    cache = BlobCache(FileCache(tmp_path, 1000))
    for number in range(50):
        cache.put(*blob(number, size=1 + 7 * number % 300))
        assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 1000


def test_the_bound_holds_beside_what_is_not_of_the_cache(tmp_path):
    (tmp_path / ".DS_Store").write_bytes(b"left by another program")
    (tmp_path / "aa").symlink_to("nowhere")
    cache = BlobCache(FileCache(tmp_path, 350))
    blobs = [blob(number) for number in range(5)]
    for each in blobs:
        cache.put(*each)
    assert sum(cache.get(digest) is not None for digest, _ in blobs) <= 3
    assert (tmp_path / ".DS_Store").exists()


def test_what_another_process_has_put_counts(tmp_path):
    for number in range(9):
        BlobCache(FileCache(tmp_path, 10**9)).put(*blob(number))
    BlobCache(FileCache(tmp_path, 500)).put(*blob(9))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 500


def test_what_is_larger_than_the_cache_drives_nothing_out(tmp_path):
    cache = BlobCache(FileCache(tmp_path, 350))
    cache.put(*blob(1))
    cache.put(*blob(2, size=400))
    assert cache.get(blob(1)[0]) is not None
    assert cache.get(blob(2, size=400)[0]) is None


def test_a_damaged_copy_is_dropped(tmp_path):
    cache = BlobCache(FileCache(tmp_path, 1000))
    digest, content = blob(1)
    cache.put(digest, content)
    with open(cache._files.path(digest), "r+b") as stream:
        stream.write(b"x")
    assert cache.get(digest) is None
    assert not os.path.exists(cache._files.path(digest))


def test_a_disk_that_is_full_fails_nothing(tmp_path, monkeypatch):
    cache = BlobCache(FileCache(tmp_path, 1000))

    def full(source, target):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    cache.put(*blob(1))
    assert cache.get(blob(1)[0]) is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_folder_that_cannot_be_used_fails_nothing(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    cache = BlobCache(FileCache(tmp_path / "file", 1000))
    cache.put(*blob(1))
    assert cache.get(blob(1)[0]) is None


def test_the_environment_sets_folder_and_size(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_FOLDER, str(tmp_path / "here"))
    cache_of_this_machine().put(*blob(1))
    assert (tmp_path / "here").is_dir()
    monkeypatch.setenv(CACHE_BYTES, "0")
    assert cache_of_this_machine() is None
    monkeypatch.setenv(CACHE_BYTES, "10GB")
    with pytest.raises(BadInputError, match="'10GB' is not a number of bytes"):
        cache_of_this_machine()
