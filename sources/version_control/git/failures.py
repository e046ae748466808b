"""What a failure to talk to a repository means.

It is judged by the HTTP status that git received (``GIT_TRACE_CURL``, in which git itself redacts credentials), by
ssh's exit status, and by whether the host accepts connections; never by the text of a message, and without sending
credentials, which may be wrong, a second time.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

from leat.sources.errors import (
    Forbidden,
    IntegrationError,
    NotConfigured,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.version_control.git.address import Remote
from leat.sources.version_control.git.text import text

_STATUS = re.compile(rb"Recv header: HTTP/[\d.]+ (\d{3})")
_HEADER = re.compile(rb"Recv header: ([\w-]+): ([^\r\n]*)")
_SMART = re.compile(rb"Recv header: content-type: application/x-git-upload-pack-advertisement\b", re.IGNORECASE)
_GONE = "check the address; many servers also hide private repositories this way: check the account's rights"
_BY_STATUS: dict[int, tuple[type[IntegrationError], str]] = {
    403: (Forbidden, "grant the account the right to read this repository"),
    404: (NotFound, _GONE),
    410: (NotFound, _GONE),
}


def failure(remote: Remote, asked: str, stderr: bytes, ssh_status: int | None, waited: float = 0) -> IntegrationError:
    """Return the error for a failed git command.

    Args:
        remote: the other side.
        asked: what was asked, in words; starts with ``list`` when it was only its refs.
        stderr: what git printed, with the trace of HTTP headers.
        ssh_status: how ssh ended, if it was started.
        waited: seconds that the command took.
    """
    if remote.scheme == "file":
        return _folder_failure(remote, asked)
    if remote.scheme == "ssh":
        return _ssh_failure(remote, asked, ssh_status)
    statuses = [int(status) for status in _STATUS.findall(stderr)]
    if not statuses and waited >= remote.timeout:
        return timed_out(remote, asked, waited)
    if not statuses:
        return _silent(remote, asked)
    last = stderr[stderr.rfind(b"Recv header: HTTP/") :]
    headers = {name.lower(): text(value) for name, value in _HEADER.findall(last)}
    return _http_failure(remote, asked, statuses[-1], headers)


def _http_failure(remote: Remote, asked: str, status: int, headers: Mapping[bytes, str]) -> IntegrationError:
    got = f"HTTP {status}"
    if status == 403 and asked.startswith("push"):
        return remote.failed(Forbidden, asked, got, "grant the account the right to push to this repository")
    if status in _BY_STATUS:
        kind, step = _BY_STATUS[status]
        return remote.failed(kind, asked, got, step)
    if status == 401:
        step = "check username and password" if remote.credentials.password else "name username and password"
        return remote.failed(Unauthenticated, asked, got, f"{step} of the connection")
    if status == 429:
        after = headers.get(b"retry-after", "")
        seconds = float(after) if after.isdigit() else None
        asked = f"{asked} {remote.name} ({remote.url})"
        return RateLimited(remote.integration, asked, got, "wait, or read less often", seconds)
    if status >= 500:
        return remote.failed(Unavailable, asked, got, "wait until the server is well, then run again")
    if status >= 400:
        return remote.failed(Rejected, asked, got, "check the address and what is between here and the server")
    if status >= 300:
        moved = re.sub(r"(/info/refs)?(\?.*)?$", "", headers.get(b"location", "elsewhere"))
        return remote.failed(Rejected, asked, f"{got}: moved to {moved}", "declare that address, if you trust it")
    if asked.startswith("list"):
        return not_git(remote, asked)
    return _broke_off(remote, asked)


def _ssh_failure(remote: Remote, asked: str, status: int | None) -> IntegrationError:
    if status is None:
        return remote.failed(NotConfigured, asked, "ssh could not be started", "install an ssh client")
    if status == 255 and not _accepts(remote):
        return _silent(remote, asked)
    if status == 255:
        step = "check ssh_key_file, and that the host's key is in known_hosts (ssh-keyscan)"
        return remote.failed(Unauthenticated, asked, "ssh could not sign in", step)
    if not asked.startswith("list"):
        return _broke_off(remote, asked)
    step = "check the path, and that the account may read it"
    return remote.failed(NotFound, asked, f"the command on the host ended with status {status}", step)


def _folder_failure(remote: Remote, asked: str) -> IntegrationError:
    path = Path(remote.url.removeprefix("file://"))
    if not path.exists():
        return remote.failed(NotFound, asked, "there is no such folder", "check the path")
    if not asked.startswith("list"):
        return _broke_off(remote, asked)
    if path.stat().st_uid not in (os.getuid(), 0):
        step = "let the user who runs leat own the folder, or serve it over HTTP or SSH"
        return remote.failed(Forbidden, asked, "git reads only folders that its user owns", step)
    return remote.failed(NotFound, asked, "no repository is there", "check that the path is that of a repository")


def is_git(remote: Remote, stderr: bytes) -> bool:
    """Return whether a git server answered (gitprotocol-http(5)).

    git also takes plain files for a repository, and so any web page for an empty one.
    """
    return remote.scheme not in ("http", "https") or _SMART.search(stderr) is not None


def not_git(remote: Remote, asked: str) -> IntegrationError:
    """Return the error for an address at which something else than a git server answers."""
    step = "check that the address is that of a git repository, and that no sign-in page is in between"
    return remote.failed(UnexpectedShape, asked, "no git server answers there", step)


def timed_out(remote: Remote, asked: str, waited: float) -> IntegrationError:
    """Return the error for a command that took too long."""
    step = "look whether the server is busy, or raise timeout"
    return remote.failed(TimedOut, asked, f"no answer in {waited:.0f} s", step)


def _broke_off(remote: Remote, asked: str) -> IntegrationError:
    return remote.failed(Unavailable, asked, "the answer began and broke off", "run again")


def _silent(remote: Remote, asked: str) -> IntegrationError:
    """Distinguish a host that accepts no connection from one that accepts it and then says nothing."""
    if _accepts(remote):
        got = f"{remote.host}:{remote.port} accepts connections and then says nothing"
        return remote.failed(Unavailable, asked, got, "check certificate, proxy and port, and the server's log")
    step = "check that the server runs and that this machine reaches it"
    return remote.failed(Unavailable, asked, f"no connection to {remote.host}:{remote.port}", step)


def _accepts(remote: Remote) -> bool:
    try:
        socket.create_connection((remote.host, remote.port), timeout=min(remote.timeout, 10)).close()
    except OSError:
        return False
    return True
