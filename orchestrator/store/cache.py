"""A local read cache of blobs from an object store, shared by the processes of a machine.

Copies are named by their digest, which is checked on every read; damaged copies are dropped. The cache never fails a
read: on a full disk or a broken folder the object store is used.
"""

import contextlib
import hashlib
import os

from workers.file_cache import FileCache, configured_cache

CACHE_FOLDER, CACHE_BYTES = "ORCHARD_CACHE", "ORCHARD_CACHE_BYTES"
"""The environment variables that set folder and size; a size of 0 turns the cache off."""

_DEFAULT_BYTES = 10 * 2**30


class BlobCache:
    """An LRU cache of blobs.

    Args:
        files: Where they are kept.
    """

    def __init__(self, files: FileCache) -> None:
        self._files = files

    def get(self, digest: str) -> bytes | None:
        """A blob's content, or None on a cache miss; marks it as used."""
        path = self._files.path(digest)
        try:
            with open(path, "rb") as stream:
                content = stream.read()
            if hashlib.sha256(content).hexdigest() == digest:
                os.utime(path)
                return content
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.unlink(path)
        return None

    def put(self, digest: str, content: bytes) -> None:
        """Store a copy, unless the blob is too large."""
        self._files.put(digest, content)


def cache_of_this_machine() -> BlobCache | None:
    """The cache that the environment variables configure; by default 10 GiB in the temporary folder.

    Raises:
        BadInputError: The size is not a number of bytes.
    """
    files = configured_cache(CACHE_FOLDER, CACHE_BYTES, default_folder="orchard-cache", default_bytes=_DEFAULT_BYTES)
    return None if files is None else BlobCache(files)
