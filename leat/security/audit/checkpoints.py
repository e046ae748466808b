"""Checkpoints: signed statements of how far the log went and what its last hash was, in a file elsewhere.

The chain alone can't show that its end was cut off, or that all of it was written again. A checkpoint can, if whoever
owns the control store can't change it. It is signed by Ed25519 (RFC 8032).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from leat.control.audit_events import canonical
from leat.files import to_disk
from leat.security.audit.chain import last_sealed


class BadCheckpoint(Exception):
    """A file of checkpoints can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint.

    Attributes:
        seq: number of the last event.
        root: its hash.
        time: when it was signed.
        key: the public key, 32 bytes in hexadecimal.
        signature: over the three before, in hexadecimal.
    """

    seq: int
    root: str
    time: datetime
    key: str
    signature: str


def make_checkpoint(engine: Engine, key: Callable[[], bytes], now: datetime | None = None) -> Checkpoint | None:
    """Sign how far the log goes; None if it is empty.

    Args:
        engine: the control store.
        key: returns the private key, 32 bytes.
        now: the time.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    with Session(engine) as session:
        seq, root = last_sealed(session)
    if not seq:
        return None
    time = now or datetime.now(UTC)
    private = Ed25519PrivateKey.from_private_bytes(key())
    signature = private.sign(_signed(seq, root, time))
    return Checkpoint(seq, root, time, private.public_key().public_bytes_raw().hex(), signature.hex())


def append_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Add a checkpoint to a file, one line of JSON each, and flush it to the disk.

    Raises:
        OSError: it can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({**asdict(checkpoint), "time": checkpoint.time.isoformat()}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
    to_disk(path)


def read_checkpoints(path: Path) -> list[Checkpoint]:
    """Return the checkpoints of a file, the oldest first.

    Raises:
        BadCheckpoint: it can't be read, a line is none, or a signature is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: can't be read: {error}"
        raise BadCheckpoint(msg) from error
    checkpoints = []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            each = Checkpoint(**{**values, "time": datetime.fromisoformat(values["time"])})
            valid = _is_signed(each)
        except (ValueError, TypeError, KeyError) as error:
            msg = f"{path}:{number}: not a checkpoint"
            raise BadCheckpoint(msg) from error
        if not valid:
            msg = f"{path}:{number}: the signature is wrong, so this checkpoint was altered"
            raise BadCheckpoint(msg)
        checkpoints.append(each)
    if len({each.key for each in checkpoints}) > 1:
        msg = f"{path}: the checkpoints are signed with several keys; check each file of one key by itself"
        raise BadCheckpoint(msg)
    return checkpoints


def is_due(path: Path, every: timedelta, now: datetime | None = None) -> bool:
    """Return whether the last checkpoint of a file is older than this, or there is none."""
    try:
        last = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return True
    return (now or datetime.now(UTC)) - last >= every


def _signed(seq: int, root: str, time: datetime) -> bytes:
    return canonical(["leat audit checkpoint", seq, root, time.astimezone(UTC).isoformat()]).encode()


def _is_signed(each: Checkpoint) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(each.key))
    try:
        public.verify(bytes.fromhex(each.signature), _signed(each.seq, each.root, each.time))
    except InvalidSignature:
        return False
    return True
