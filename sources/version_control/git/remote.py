"""Talk to the other side: list its refs, fetch from it."""

from __future__ import annotations

import base64
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leat.sources.errors import NotConfigured
from leat.sources.version_control.git.address import Remote
from leat.sources.version_control.git.failures import failure, is_git, not_git, timed_out
from leat.sources.version_control.git.program import Git, text


@dataclass(frozen=True, slots=True)
class Listing:
    """The refs of a remote: branches and tags with their objects, and where HEAD is."""

    refs: Mapping[str, str]
    head: str | None
    default: str | None


def list_refs(remote: Remote) -> Listing:
    """Ask for the tips of branches and tags; two requests where the server speaks protocol version 2, else one.

    Raises:
        IntegrationError: of the class that says whether trying again can help.
    """
    out = talk(remote, None, "list the refs of", "ls-remote", "--symref", "--", remote.url, "HEAD", "refs/*")
    refs: dict[str, str] = {}
    head = default = None
    for line in out.splitlines():
        value, _, name = line.partition(b"\t")
        if name == b"HEAD" and value.startswith(b"ref: "):
            default = text(value[5:])
        elif name == b"HEAD":
            head = text(value)
        elif name.startswith((b"refs/heads/", b"refs/tags/")) and not name.endswith(b"^{}"):
            refs[text(name)] = text(value)
    return Listing(refs, head, default)


def talk(remote: Remote, folder: Path | None, asked: str, *args: str) -> bytes:
    """Run a git command that talks to the remote and return what it prints.

    Args:
        remote: the other side.
        folder: the mirror, if the command needs one.
        asked: what is asked of the remote, for errors.
        args: the command.

    Raises:
        IntegrationError: it failed; see :func:`leat.sources.version_control.git.failures.failure`.
    """
    limit = None if args[0] == "fetch" else 2 * remote.timeout
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        status = Path(scratch) / "ssh"
        git = _git_for(remote, folder, status)
        try:
            done = git.finish(*args, timeout=limit)
        except subprocess.TimeoutExpired:
            raise timed_out(remote, asked, time.monotonic() - started) from None
        except FileNotFoundError:
            step = "install git 2.30 or later"
            raise NotConfigured(remote.integration, "starting git", "it is not installed", step) from None
        if done.returncode == 0 and not is_git(remote, done.stderr):
            raise not_git(remote, asked)
        if done.returncode == 0:
            return done.stdout
        ssh = int(status.read_text() or 255) if status.exists() else None
    raise failure(remote, asked, done.stderr, ssh, time.monotonic() - started)


def _git_for(remote: Remote, folder: Path | None, status: Path) -> Git:
    """Return git, ready to talk to the remote: credentials, timeouts, a trace of HTTP headers."""
    config = {"http.lowSpeedLimit": "1", "http.lowSpeedTime": str(remote.timeout)}
    env = {"GIT_TRACE_CURL": "1", "GIT_TRACE_CURL_NO_DATA": "1", "GIT_TRACE_REDACT": "1"}
    signing = remote.credentials
    if remote.scheme in ("http", "https") and signing.password is not None:
        pair = base64.b64encode(f"{signing.username or ''}:{signing.password}".encode()).decode()
        origin = "/".join(remote.url.split("/", maxsplit=3)[:3])
        config[f"http.{origin}/.extraHeader"] = f"Authorization: Basic {pair}"  # sent to this origin alone
    if remote.scheme == "ssh":
        env |= {"GIT_SSH_COMMAND": _ssh_command(remote), "GIT_SSH_VARIANT": "ssh", "LEAT_SSH_STATUS": str(status)}
    return Git(folder, config, env)


def _ssh_command(remote: Remote) -> str:
    """Return a shell function that runs ssh and writes its exit status where ``LEAT_SSH_STATUS`` says."""
    given = os.environ.get("GIT_SSH_COMMAND") or shlex.quote(os.environ.get("GIT_SSH") or "ssh")
    options = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={remote.timeout}", "-o", "ServerAliveInterval=15"]
    if remote.credentials.ssh_key is not None:
        options += ["-o", "IdentitiesOnly=yes", "-i", str(remote.credentials.ssh_key)]
    return f'f() {{ {given} {shlex.join(options)} "$@"; s=$?; echo $s > "$LEAT_SSH_STATUS"; return $s; }}; f'
