"""mail-devel, an IMAP and SMTP server from a wheel, as a process on loopback.

Mail is only in memory: after a stop all of it is gone, UIDVALIDITY included. Every login exists, all with one
password. It has no CONDSTORE, QRESYNC or keywords of one's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from leat.demo.servers.process import Process, free_port, start


def start_mail_devel(folder: Path, password: str, port: int | None = None, smtp_port: int | None = None) -> Process:
    """Start mail-devel and wait until it listens for IMAP; its mailboxes are empty.

    Args:
        folder: where its log goes.
        password: of every login; it goes to the server by its environment.
        port: TCP port for IMAP on 127.0.0.1; None for a free one.
        smtp_port: TCP port for SMTP; None for a free one.

    Raises:
        RuntimeError: it did not start; the text has the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = port or free_port()
    smtp = smtp_port or free_port()
    argv = [
        sys.executable,
        "-m",
        "leat.demo.servers.mail_devel_app",
        "--host",
        "127.0.0.1",
        "--multi-user",
        "--no-http",
    ]
    argv += ["--imap-port", str(port), "--smtp-port", str(smtp), "--user", "office@demo.example"]
    return start("mail-devel", argv, folder, port, {"MAIL_PASSWORD": password})
