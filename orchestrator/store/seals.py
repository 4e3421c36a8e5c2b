"""Contents that carry their own digest, so that a flipped bit or a cut is found on reading. Knows no files."""

import hashlib
import json

from jobs.identity import Parsed

_NAME = ', "manifest_sha256": "'
_DIGEST_BYTES = 32
_SUFFIX_BYTES = len(_NAME) + 2 * _DIGEST_BYTES + len('"}')


def seal_json(value: Parsed) -> bytes:
    """A JSON object whose last field is the digest of everything before it.

    Raises:
        ValueError: It contains NaN or infinity.
    """
    content = json.dumps(value, sort_keys=True, allow_nan=False).encode()[:-1]
    return b'%b%b%b"}' % (content, _NAME.encode(), hashlib.sha256(content).hexdigest().encode())


def unseal_json(sealed: bytes) -> Parsed:
    """What `seal_json` was given.

    Raises:
        ValueError: It has changed since, or was never sealed.
    """
    content = sealed[:-_SUFFIX_BYTES]
    if sealed != b'%b%b%b"}' % (content, _NAME.encode(), hashlib.sha256(content).hexdigest().encode()):
        raise ValueError("its content has changed, or its end is missing")
    value: Parsed = json.loads(content + b"}")
    return value


def seal(content: bytes) -> bytes:
    """Bytes behind their digest."""
    return hashlib.sha256(content).digest() + content


def unseal(sealed: bytes) -> bytes:
    """What `seal` was given.

    Raises:
        ValueError: It has changed since, or was never sealed.
    """
    content = sealed[_DIGEST_BYTES:]
    if len(sealed) < _DIGEST_BYTES or hashlib.sha256(content).digest() != sealed[:_DIGEST_BYTES]:
        raise ValueError("its content has changed, or its end is missing")
    return content
