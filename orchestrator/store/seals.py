"""Contents that include their own digest, so that corruption and truncation are detected on reading. Pure."""

import hashlib
import json

from jobs.identity import Parsed

_NAME = ', "manifest_sha256": "'
_DIGEST_BYTES = 32
_SUFFIX_BYTES = len(_NAME) + 2 * _DIGEST_BYTES + len('"}')


def seal_json(value: Parsed, *, sort_keys: bool = True) -> bytes:
    """Serialise a JSON object; its last field is the digest of everything before it.

    Args:
        value: The object.
        sort_keys: Sort the fields of all objects by name, so that equal objects have equal bytes.

    Raises:
        ValueError: It contains NaN or infinity.
    """
    content = json.dumps(value, sort_keys=sort_keys, allow_nan=False).encode()[:-1]
    return b'%b%b%b"}' % (content, _NAME.encode(), hashlib.sha256(content).hexdigest().encode())


def unseal_json(sealed: bytes) -> Parsed:
    """The inverse of `seal_json`.

    Raises:
        ValueError: The digest does not match, or there is none.
    """
    content = sealed[:-_SUFFIX_BYTES]
    if sealed != b'%b%b%b"}' % (content, _NAME.encode(), hashlib.sha256(content).hexdigest().encode()):
        raise ValueError("its content has changed, or its end is missing")
    value: Parsed = json.loads(content + b"}")
    return value


def seal(content: bytes) -> bytes:
    """Bytes, prefixed by their digest."""
    return hashlib.sha256(content).digest() + content


def unseal(sealed: bytes) -> bytes:
    """The inverse of `seal`.

    Raises:
        ValueError: The digest does not match, or there is none.
    """
    content = sealed[_DIGEST_BYTES:]
    if len(sealed) < _DIGEST_BYTES or hashlib.sha256(content).digest() != sealed[:_DIGEST_BYTES]:
        raise ValueError("its content has changed, or its end is missing")
    return content
