"""Looks for planted secrets in all files: in clear, as URLs and Base64 have them, and in what is compressed."""

from __future__ import annotations

import base64
import contextlib
import gzip
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

_GZIP = b"\x1f\x8b\x08"


def leaks(folder: Path, secrets: Collection[str]) -> list[str]:
    """Return each file below a folder with a secret in it, and the form that it has there."""
    wanted = {form: (secret, name) for secret in secrets for name, form in forms(secret)}
    found = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        for content in _unpacked(path.read_bytes()):
            found += [f"{path.relative_to(folder)}: {secret} {name}"
                      for form, (secret, name) in wanted.items() if form in content]  # fmt: skip
    return found


def forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """Yield the forms of a secret: for Base64 the three that depend on how many bytes are before it."""
    yield "in clear", secret.encode()
    yield "in UTF-16", secret.encode("utf-16-le")
    yield "in hexadecimal", secret.encode().hex().encode()
    for encoded in {quote(secret, safe=""), quote_plus(secret)} - {secret}:
        yield "in a URL", encoded.encode()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + secret.encode())
        inner = text[(0, 2, 3)[before] : len(text) // 4 * 4 - 4]  # what doesn't depend on the neighbours
        for each in {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}:
            yield f"in Base64 after {before}", each


def _unpacked(content: bytes) -> Iterator[bytes]:
    """Yield a content, and what is in each gzip or zlib stream in it."""
    yield content
    at = content.find(_GZIP)
    while at >= 0:
        with contextlib.suppress(OSError, EOFError, zlib.error):
            yield gzip.decompress(content[at:])
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(31).decompress(content[at:])
        at = content.find(_GZIP, at + 1)
    with contextlib.suppress(zlib.error):
        yield zlib.decompress(content)
