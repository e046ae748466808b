"""Dovecot, an IMAP server as it is used in production, as a process on loopback; it stores mail in Maildir folders."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start
from leat.files import draft_of
from tests.servers.dovecot_install import MODULES, Dovecot, find_dovecot, unpacked
from tests.servers.unprivileged_dir import NOBODY, is_open_to_all, place_of

_LONGEST = 60
_CONFIG = """\
protocols = imap
listen = 127.0.0.1
base_dir = {place}/base
state_dir = {place}/state
{libexec}
import_environment = LD_LIBRARY_PATH TZ
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
log_path = /dev/stderr
auth_mechanisms = plain login
auth_failure_delay = 0
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{place}/mail/%u
mail_fsync = never
mail_max_userip_connections = 50
{more}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {place}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={place}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Tls:
    """A second port that speaks TLS, and STARTTLS on the first.

    Attributes:
        port: TCP port on 127.0.0.1.
        certificate: PEM file.
        key: PEM file.
    """

    port: int
    certificate: Path
    key: Path


def start_dovecot(
    folder: Path,
    users: Mapping[str, str],
    port: int | None = None,
    *,
    capability: str | None = None,
    tls: Tls | None = None,
) -> Process:
    """Start Dovecot for these accounts and wait until it listens; started by root, it runs as another user.

    Args:
        folder: where its log is, and its mail unless the server's user cannot get there; what is there stays.
        users: login to password.
        port: TCP port on 127.0.0.1; None for a free one.
        capability: the capabilities that it offers instead of all that it has, separated by blanks.
        tls: a port for TLS.

    Raises:
        RuntimeError: it isn't here and can't be fetched, or did not start; the text has the end of its log.
    """
    user = NOBODY if os.geteuid() == 0 else None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700 if user is None else 0o755)
    place = server_folder(folder)
    dovecot = _reachable(find_dovecot(), place, user)
    for name in ("base", "state", "mail"):
        (place / name).mkdir(exist_ok=True, mode=0o700)
        _give(place / name, user)
    with contextlib.suppress(FileExistsError):
        (place / "base" / MODULES).symlink_to(dovecot.libexec / MODULES)
    set_users(folder, users)
    more = [] if capability is None else [f"imap_capability = {capability}"]
    more += ["ssl = no"] if tls is None else _tls_settings(place, tls, user)
    port = port or free_port()
    _write(place / "dovecot.conf", _config(place, dovecot, port, tls, more), user)
    argv = [str(dovecot.doveconf), "-c", str(place / "dovecot.conf"), "-m", "master", "-p"]
    argv += ["-e", str(dovecot.master), "-F", "-c", str(place / "dovecot.conf")]
    return start("dovecot", argv, folder, port, dovecot.environment(), user=user)


def server_folder(folder: Path) -> Path:
    """Return where the server of a folder really has its files; its sockets need a short path."""
    return place_of(folder, "dovecot", NOBODY if os.geteuid() == 0 else None, _LONGEST)


def mail_folder(folder: Path, user: str) -> Path:
    """Return the Maildir of an account (its INBOX; other mailboxes are subfolders with a leading dot)."""
    return server_folder(folder) / "mail" / user


def set_users(folder: Path, users: Mapping[str, str]) -> None:
    """Let these accounts sign in, and no others; a server that runs sees it within a second."""
    text = "".join(f"{user}:{password}\n" for user, password in users.items())
    _write(server_folder(folder) / "users", text, NOBODY if os.geteuid() == 0 else None)


def give_to_server(path: Path) -> None:
    """Let the server own a folder and all below it, after files were written into its Maildirs."""
    if os.geteuid() == 0:
        for path_ in (path, *path.rglob("*")):
            _give(path_, NOBODY)


def _config(place: Path, dovecot: Dovecot, port: int, tls: Tls | None, more: list[str]) -> str:
    uid = NOBODY if os.geteuid() == 0 else os.geteuid()
    account = pwd.getpwuid(uid)
    libexec = ""
    if dovecot.root is not None:
        libexec = f"libexec_dir = {dovecot.libexec}\nmail_plugin_dir = {dovecot.libexec / MODULES}"
    return _CONFIG.format(
        place=place,
        libexec=libexec,
        user=account.pw_name,
        group=grp.getgrgid(account.pw_gid).gr_name,
        uid=uid,
        gid=account.pw_gid,
        port=port,
        tls_port=tls.port if tls else 0,
        more="\n".join(more),
    )


def _reachable(dovecot: Dovecot, place: Path, user: int | None) -> Dovecot:
    """Return the programs, copied where the server's user can't get at an unpacked copy."""
    if dovecot.root is None or user is None or is_open_to_all(dovecot.root):
        return dovecot
    copy = place / "programs"
    if not copy.exists():
        shutil.copytree(dovecot.root, copy, symlinks=True)
    return unpacked(copy)


def _tls_settings(place: Path, tls: Tls, user: int | None) -> list[str]:
    for name, file in (("certificate.pem", tls.certificate), ("key.pem", tls.key)):
        _write(place / name, file.read_text(encoding="ascii"), user)
    return ["ssl = yes", f"ssl_cert = <{place}/certificate.pem", f"ssl_key = <{place}/key.pem"]


def _write(path: Path, text: str, user: int | None) -> None:
    with draft_of(path) as draft:
        draft.write_text(text, encoding="utf-8")
        _give(draft, user)


def _give(path: Path, user: int | None) -> None:
    if user is not None:
        os.chown(path, user, user)
