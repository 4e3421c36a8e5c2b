"""What names the content of data and code that lie outside the store, so that a key changes when they do.

Cheap enough to be read off by `orchard plan`: small files are digested whole, large ones by size, head and tail.
"""

import hashlib
import importlib.util
from pathlib import Path

from jobs.errors import BadInputError

_WHOLE_BYTES = 64 * 2**20
_PROBE_BYTES = 2**20


def fingerprint(path: str) -> str:
    """Names the content of a local file or of all files below a folder.

    Files over 64 MiB count by size, first and last MiB; in a folder, so does every file over 1 MiB.

    Raises:
        BadInputError: There is no such file or folder on this machine.
    """
    root = Path(path.removeprefix("file://")).expanduser()
    if root.is_file():
        return _digest_of(root, _WHOLE_BYTES)
    if not root.is_dir():
        raise BadInputError(
            f"{path}: no such file or folder on this machine; the driver reads it to name its content "
            "(for data that only workers see, give data.fingerprint)"
        )
    digest = hashlib.sha256()
    for file in sorted(file for file in root.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(root)}\0{_digest_of(file, _PROBE_BYTES)}\0".encode())
    return digest.hexdigest()[:32]


def _digest_of(file: Path, whole_bytes: int) -> str:
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as stream:
        if size <= whole_bytes:
            while block := stream.read(_PROBE_BYTES):
                digest.update(block)
        else:
            digest.update(stream.read(_PROBE_BYTES))
            stream.seek(-_PROBE_BYTES, 2)
            digest.update(stream.read(_PROBE_BYTES))
    return digest.hexdigest()[:32]


def source_fingerprint(import_path: str) -> str:
    """Names the source of a user's `package.module:callable`; the module is found, not imported.

    Only the named module counts: what it imports in turn does not.

    Raises:
        BadInputError: There is no such module.
    """
    top, *rest = import_path.partition(":")[0].split(".")
    spec = importlib.util.find_spec(top)
    roots = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    candidates = [root.joinpath(*rest) for root in roots]
    if spec and spec.origin and not rest:
        return fingerprint(spec.origin)
    for candidate in candidates:
        for file in (candidate.with_suffix(".py"), candidate / "__init__.py"):
            if file.is_file():
                return fingerprint(str(file))
    raise BadInputError(f"{import_path}: no module '{import_path.partition(':')[0]}' is found on this machine")
