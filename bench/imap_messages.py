"""How fast mailboxes are read, compared with plain fetches in batches of 500 by ``imaplib`` from the same server.

::

    python -m bench.imap_messages [--messages 20000]

The messages are generated, the same each time, and written as a Maildir that Dovecot serves: text, HTML and, in every
third, an attachment; 2 to 40 KB. Each measurement is a process of its own. Prints seconds, their ratios, and the peak
memory for a tenth of the messages and for all.
"""

from __future__ import annotations

import argparse
import imaplib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from typing import Any

from leat.demo.servers.process import running
from leat.sources.driver import Sync
from leat.sources.email.imap import driver as imap
from leat.sources.email.streams import STREAMS
from leat.sources.events import Cursor, Rows
from tests.servers.dovecot import give_to_server, mail_folder, start_dovecot

_PASSWORD = "bench-password"  # noqa: S105 - of a server that lives for a minute
_BATCH = 500


def templates(count: int = 60) -> Iterator[bytes]:
    """Yield messages that differ in size and form; ``SERIAL0`` is replaced by what makes each one unique."""
    dice = random.Random(7)  # noqa: S311 - the same each time
    for number in range(count):
        message = EmailMessage()
        message["From"] = f"Person {number} <person{number}@bench.example>"
        message["To"] = "Ann Other <ann@bench.example>, ben@bench.example"
        message["Subject"] = "Wöchentlicher Bericht SERIAL0" if number % 4 == 0 else "Weekly report SERIAL0"
        message["Date"] = "Tue, 10 Mar 2026 10:00:00 +0100"
        message["Message-ID"] = "<SERIAL0@bench.example>"
        message["References"] = "<root-SERIAL0@bench.example>"
        for hop in range(4):
            message["Received"] = f"from mx{hop}.bench.example by in.bench.example; Tue, 10 Mar 2026 09:59:00 +0000"
        words = " ".join(dice.choices(["figures", "rose", "by", "seven", "hundred", "lamps", "été"], k=400))
        message.set_content("\n".join(words[i : i + 70] for i in range(0, len(words), 70)))
        message.add_alternative(f"<html><body><p>{words}</p></body></html>", subtype="html")
        if number % 3 == 0:
            content = dice.randbytes(dice.randrange(1_000, 25_000))
            message.add_attachment(content, maintype="application", subtype="pdf", filename=f"report{number}.pdf")
        yield message.as_bytes().replace(b"\n", b"\r\n")


def write_maildir(folder: Path, count: int) -> None:
    """Write so many messages as a Maildir."""
    written = list(templates())
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True, mode=0o700)
    for number in range(count):
        raw = written[number % len(written)].replace(b"SERIAL0", b"%07d" % number)
        (folder / "cur" / f"{1_700_000_000 + number}.M1P{number}.bench:2,S").write_bytes(raw)


def fetched(port: int, user: str) -> Iterator[bytes]:
    """Yield every message, fetched in batches by :mod:`imaplib`."""
    client = imaplib.IMAP4("127.0.0.1", port)
    client.login(user, _PASSWORD)
    count = int(client.select("INBOX", readonly=True)[1][0] or 0)
    for first in range(1, count + 1, _BATCH):
        answers = client.fetch(f"{first}:{min(first + _BATCH - 1, count)}", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]
        yield from (answer[1] for answer in answers if isinstance(answer, tuple))
    client.logout()


def read_raw(port: int, user: str) -> int:
    return sum(1 for _ in fetched(port, user))


def read_parsed(port: int, user: str) -> int:
    """Fetch, parse, decode every part and hash those that aren't text."""
    count = 0
    for raw in fetched(port, user):
        message = message_from_bytes(raw)
        for part in message.walk():
            content = part.get_payload(decode=True)
            if isinstance(content, bytes) and part.get_content_maintype() != "text":
                sha256(content).hexdigest()
        count += 1
    return count


def read_leat(port: int, user: str, cursor: Any, folder: Path) -> tuple[int, Any]:
    """Extract once; returns how many messages and where the next extraction goes on."""
    os.environ["BENCH_PASSWORD"] = _PASSWORD
    settings = {"host": f"127.0.0.1:{port}", "security": "none", "username": user}
    connection = imap.Connection.model_validate({**settings, "password": {"env": "BENCH_PASSWORD"}})
    names = frozenset(stream.name for stream in STREAMS)
    count = 0
    for event in imap.extract(connection, Sync("bench", names, cursor, folder, folder, datetime.now(UTC))):
        if isinstance(event, Rows) and event.stream == "messages":
            count += event.table.num_rows
        cursor = event.value if isinstance(event, Cursor) else cursor
    return count, cursor


def measure(what: str, port: int, user: str, folder: Path) -> dict[str, float]:
    """Do one thing in this process."""
    import pyarrow as pa  # importing isn't measured

    pa.array([""])  # the first array imports pandas
    cursor, begun, began = None, time.monotonic(), time.process_time()
    if what == "leat":
        count, cursor = read_leat(port, user, None, folder)
    else:
        count = {"raw": read_raw, "parsed": read_parsed}[what](port, user)
    figures = {"messages": float(count), "seconds": time.monotonic() - begun, "cpu": time.process_time() - began}
    figures["arrow"] = float(pa.total_allocated_bytes())
    if what == "leat":
        begun = time.monotonic()
        read_leat(port, user, cursor, folder)
        figures["again"] = time.monotonic() - begun
    return {**figures, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measured(what: str, port: int, user: str) -> dict[str, float]:
    """Do one thing in a process of its own."""
    argv = [sys.executable, "-m", "bench.imap_messages", "--one", what, "--port", str(port), "--user", user]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--one", choices=("raw", "parsed", "leat"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--user", help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if options.one:
            print(json.dumps(measure(options.one, options.port, options.user, Path(scratch))))
            return
        compare(Path(scratch), options.messages)


def compare(scratch: Path, messages: int) -> None:
    """Measure everything and print it."""
    sizes = {"small": messages // 10, "large": messages}
    with running(start_dovecot(scratch, dict.fromkeys(sizes, _PASSWORD))) as server:
        for user, count in sizes.items():
            write_maildir(mail_folder(scratch, user), count)
            give_to_server(mail_folder(scratch, user))
            read_raw(server.port, user)  # the server's own index is made now
        figures = {what: measured(what, server.port, "large") for what in ("raw", "parsed", "leat")}
        small = measured("leat", server.port, "small")
    for what, one in figures.items():
        rate = one["messages"] / one["seconds"]
        times = f"{one['seconds']:7.2f} s, of the processor {one['cpu']:7.2f} s"
        print(f"{what:8} {one['messages']:8,.0f} messages {times} {rate:8,.0f} messages/s")
    leat, parsed = figures["leat"], figures["parsed"]
    seconds, cpu = leat["seconds"] / parsed["seconds"], leat["cpu"] / parsed["cpu"]
    print(f"ratio of leat to a fetch that is parsed {seconds:.2f}, of processor time {cpu:.2f}")
    print(f"nothing new                             {leat['again']:.3f} s")
    few, all_of_them = small["megabytes"], leat["megabytes"]
    print(f"peak memory {few:.0f} MB for a tenth, {all_of_them:.0f} MB for all: {all_of_them / few:.2f}")


if __name__ == "__main__":
    main()
