"""What git prints, as text."""

from __future__ import annotations

from collections.abc import Sequence


def text(raw: bytes) -> str:
    r"""Return bytes as text: UTF-8, and what isn't as ``\xNN``."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace")


def texts(raws: Sequence[bytes]) -> list[str]:
    """Return many pieces without NUL as text, with one decoding where all are UTF-8."""
    try:
        return b"\0".join(raws).decode().split("\0")
    except UnicodeDecodeError:
        return [text(raw) for raw in raws]
