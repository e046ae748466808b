"""Talk to the other side: list its refs, fetch from it, push to it."""

from __future__ import annotations

import base64
import os
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leat.sources.egress import check_host, check_proxy
from leat.sources.errors import IntegrationError, NotConfigured, Outdated, Rejected
from leat.sources.version_control.git.address import Remote
from leat.sources.version_control.git.failures import failure, is_git, not_git, timed_out
from leat.sources.version_control.git.program import Git
from leat.sources.version_control.git.text import text

_LONGEST_PUSH = 50
"""Seconds; a step of an action takes no more than a minute."""
_POSTED = re.compile(rb"Send header: POST [^\r\n]*/git-receive-pack\b")


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
    talked = _talked(remote, folder, asked, args, None if args[0] == "fetch" else 2 * remote.timeout)
    if talked.done.returncode == 0 and not is_git(remote, talked.done.stderr):
        raise not_git(remote, asked)
    if talked.done.returncode == 0:
        return talked.done.stdout
    raise talked.failure(remote, asked)


@dataclass(frozen=True, slots=True)
class _Talked:
    """How a command ended, and ssh, and how many seconds it took."""

    done: subprocess.CompletedProcess[bytes]
    ssh_status: int | None
    seconds: float

    def failure(self, remote: Remote, asked: str) -> IntegrationError:
        return failure(remote, asked, self.done.stderr, self.ssh_status, self.seconds)


def _talked(remote: Remote, folder: Path | None, asked: str, args: Sequence[str], limit: float | None) -> _Talked:
    if remote.host:
        check_host(remote.integration, remote.host, encrypted=remote.scheme in ("https", "ssh"))
        check_proxy(remote.integration, remote.scheme, remote.host)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        status = Path(scratch) / "ssh"
        try:
            done = _git_for(remote, folder, status).finish(*args, timeout=limit)
        except subprocess.TimeoutExpired:
            raise timed_out(remote, asked, time.monotonic() - started) from None
        except FileNotFoundError:
            step = "install git 2.30 or later"
            raise NotConfigured(remote.integration, "starting git", "it is not installed", step) from None
        ssh = int(status.read_text() or 255) if status.exists() else None
    return _Talked(done, ssh, time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class Update:
    """What becomes of a ref: the object where it is, and where it will be; empty where there is none."""

    ref: str
    old: str
    new: str


def push(remote: Remote, folder: Path, updates: Sequence[Update]) -> None:
    """Change refs, all or none, if each is where it is expected; an update that was made already changes nothing.

    Args:
        remote: the other side.
        folder: a repository that has the new objects and their history.
        updates: the changes.

    Raises:
        Outdated: a ref isn't where it was.
        Rejected: the server refuses, for a reason of its own.
        IntegrationError: the remote failed.
    """
    asked = f"push to {', '.join(update.ref for update in updates)} of"
    leases = [f"--force-with-lease={update.ref}:{update.old}" for update in updates]
    specs = [f"{update.new}:{update.ref}" for update in updates]
    args = ("push", "--porcelain", "--atomic", *leases, "--", remote.url, *specs)
    talked = _talked(remote, folder, asked, args, min(2 * remote.timeout, _LONGEST_PUSH))
    if talked.done.returncode == 0:
        return
    refused = [line.split("\t") for line in text(talked.done.stdout).splitlines() if line.startswith("!\t")]
    if not refused:
        error = talked.failure(remote, asked)
        if remote.scheme in ("http", "https") and not _POSTED.search(talked.done.stderr):
            error.reached = False
        raise error
    now = list_refs(remote).refs
    if all(now.get(update.ref, "") == update.new for update in updates):
        return
    if any(now.get(update.ref, "") != update.old for update in updates):
        raise remote.failed(Outdated, asked, "somebody has changed it meanwhile", "plan it again")
    reasons = {parts[-1].strip() for parts in refused if "atomic" not in parts[-1]} or {"it says no more"}
    step = "look at the protection rules and hooks of the repository, and at who may push"
    raise remote.failed(Rejected, asked, f"the server refuses: {', '.join(sorted(reasons))}", step)


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
