"""The key that signs checkpoints: a secret of the control store, encrypted with a data key of its own purpose.

Whoever has the control store alone can't sign. ``audit.key`` in the state folder, where it was, is taken over once.
"""

from __future__ import annotations

from leat.control.own_secrets import OwnSecret, own_secret
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.stored_secrets import secret_store

NAME, FILE = "@audit_key", "audit.key"


def signing_key(project: Project) -> bytes:
    """Return the private key, 32 bytes; made once.

    Raises:
        KeyProblem: it can't be decrypted.
    """
    own = OwnSecret(NAME, FILE, _new, bytes.hex, "audit")
    return bytes.fromhex(own_secret(lambda: secret_store(project), own, project.state))


def _new() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes_raw().hex()
