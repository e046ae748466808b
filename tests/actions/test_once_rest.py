"""The proof of "once" at a real REST API: senders of declared actions are killed, and Datasette's rows are counted."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from leat.actions.decide import approve
from leat.actions.deliver import deliver
from leat.actions.propose import Wish, propose
from leat.control.outbox import read_actions
from leat.demo.servers.datasette_server import start_datasette, token_of
from leat.demo.servers.process import running
from tests.kit.acting import Acting
from tests.kit.sender import start_sender

pytestmark = pytest.mark.usefixtures("impatient")

ROOT = Path(__file__).parents[2]
SECRET = "planted-secret-33107"
WISHES = {
    "add_message": {"ticket": 1, "author": "bob@example.org", "text": "Sent."},
    "close_ticket": {"number": 1},
    "write_unseen": {"ticket": 1, "author": "bob@example.org", "text": "Sent."},
}


@pytest.fixture(scope="module")
def support(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("datasette")
    database = folder / "support.db"
    with closing(sqlite3.connect(database)) as opened:
        opened.executescript(
            """
            CREATE TABLE tickets (number INTEGER PRIMARY KEY, subject TEXT, status TEXT, closed_at TEXT,
                updated_at TEXT);
            CREATE TABLE messages (id INTEGER PRIMARY KEY, ticket INTEGER, written_at TEXT, author TEXT,
                from_customer INTEGER, text TEXT, reference TEXT);
            CREATE TABLE updates (number INTEGER);
            CREATE TRIGGER updated AFTER UPDATE ON tickets BEGIN INSERT INTO updates VALUES (new.number); END;
            """
        )
    with running(start_datasette(folder / "server", database, secret=SECRET)) as server:
        yield f"http://127.0.0.1:{server.port}/", database


@pytest.fixture
def acting(support: tuple[str, Path], tmp_path: Path) -> Acting:
    """Declare the support desk of the demo; what a process of its own needs is in files."""
    url, database = support
    with closing(sqlite3.connect(database)) as opened:
        opened.executescript("DELETE FROM messages; DELETE FROM tickets; DELETE FROM updates")
        opened.execute("INSERT INTO tickets VALUES (1, 'Lamp', 'open', NULL, '2026-01-01')")
        opened.commit()
    declared = yaml.safe_load((ROOT / "pipelines/support.yaml").read_text())
    connection = declared["connection"] | {"url": url}
    (tmp_path / "token").write_text(token_of(SECRET))
    connection["action_auth"]["token"] = {"file": "token"}
    unseen = deepcopy(connection["actions"]["add_message"])
    connection["actions"]["write_unseen"] = {name: unseen[name] for name in unseen if name not in ("find", "undo")}
    path = tmp_path / "pipelines" / "desk.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({"source": "rest_api", "driver": "http", "connection": connection}))
    return Acting(tmp_path, f"sqlite:///{tmp_path / '.leat' / 'control.db'}")


@pytest.mark.parametrize(
    ("verb", "point"),
    [("add_message", point) for point in ("claimed", "sending", "sent", "recording", "confirming")]
    + [("close_ticket", point) for point in ("sending", "sent")]
    + [("write_unseen", point) for point in ("claiming", "sending", "sent")],
)
def test_a_sender_is_killed_at_a_point(acting: Acting, support: tuple[str, Path], verb: str, point: str) -> None:
    with acting.office() as office:
        row = propose(office, Wish("desk", verb, WISHES[verb], "ann"))
        approve(office.store, row, "bob")
    sender = start_sender(acting, point)
    sender.join(60)
    assert sender.exitcode == -signal.SIGKILL
    with acting.office() as office:
        deliver(office, "desk", patience=20, wait=20)
        [row] = read_actions(office.store, ids=[row.id])
    unknown = row.guarantee == "unprobeable" and point != "claiming"  # a person has to look
    assert row.state == ("asking" if unknown else "confirmed"), row.reason
    counted = "SELECT count(*) FROM " + ("updates" if verb == "close_ticket" else "messages")
    with closing(sqlite3.connect(support[1])) as opened:
        assert opened.execute(counted).fetchone() == (0 if unknown and point == "sending" else 1,)
