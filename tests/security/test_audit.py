"""The audit log: events in their transactions, sealing, and every manipulation detected and named; on both stores."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.orm import Session

from leat.control.actor import Actor, acting_as
from leat.control.audit_events import note, note_alone, pseudonym_of
from leat.control.audit_tables import AuditEvent, AuditPerson
from leat.control.engine import writing
from leat.security.audit.chain import FIRST, Event, forget, hash_of, list_events, seal, unsealed_since
from leat.security.audit.checkpoints import (
    BadCheckpoint,
    Checkpoint,
    append_checkpoint,
    make_checkpoint,
    read_checkpoints,
)
from leat.security.audit.ocsf import ocsf_events
from leat.security.audit.verify import verify

KEY = Ed25519PrivateKey.generate().private_bytes_raw
ADA, BOB = Actor("person_1", "ada"), Actor("person_2", "bob")
EVENTS = 40


def fill(store: Engine, count: int = EVENTS) -> None:
    with writing(store) as session:
        for number in range(count):
            note(session, "action.approved", {"action": f"a{number}"}, by=(ADA, BOB)[number % 2])


def test_an_event_is_there_if_its_transaction_is(store: Engine) -> None:
    with pytest.raises(RuntimeError), writing(store) as session:
        note(session, "token.created")
        raise RuntimeError
    with acting_as(ADA), writing(store) as session:
        note(session, "token.created", {"token": "t1"}, people={"owner": BOB})
    note_alone(store, "publish.published", by=BOB)
    assert seal(store) == 2
    assert seal(store) == 0
    shown = [(each.seq, each.event, each.by, each.detail) for each in list_events(store)]
    assert shown == [
        (2, "publish.published", "bob", {}),
        (1, "token.created", "ada", {"token": "t1", "owner": "bob"}),
    ]
    assert [each.seq for each in list_events(store, event="token.")] == [1]
    assert verify(store).finding == "intact"
    assert unsealed_since(store)[0] == 0


def test_a_forgotten_person_leaves_a_valid_log(store: Engine) -> None:
    fill(store, 4)
    assert forget(store, ADA.id)
    assert not forget(store, ADA.id)
    seal(store)
    assert verify(store).finding == "intact"
    with Session(store) as session:
        pseudonym = pseudonym_of(session, ADA.id)
        names = list(session.scalars(select(AuditPerson.name)))
    assert "ada" not in names
    assert [each.by for each in list_events(store, event="action.")] == ["bob", pseudonym] * 2
    exported = list(ocsf_events(store))
    assert [each["metadata"]["sequence"] for each in exported] == [1, 2, 3, 4, 5]
    assert all(each["type_uid"] == each["class_uid"] * 100 + each["activity_id"] for each in exported)
    assert '"ada"' not in json.dumps(exported)


def test_postgres_seals_in_the_order_of_transactions(postgres_url: str) -> None:
    from leat.control.store import open_control

    store = open_control(postgres_url)
    note_alone(store, "first", by=ADA)
    with Session(store) as older:
        older.begin()
        note(older, "older", by=ADA)
        note_alone(store, "younger", by=ADA)
        assert seal(store) == 1  # the younger waits for the older, which may still be committed
        older.commit()
    assert seal(store) == 2
    assert [each.event for each in list_events(store)][::-1] == ["first", "older", "younger"]
    assert verify(store).finding == "intact"
    store.dispose()


# -- manipulations ----------------------------------------------------------------------------------------------------


def sealed(session: Session) -> list[Event]:
    columns = [getattr(AuditEvent, name) for name in Event.__slots__]
    return [Event(*row) for row in session.execute(select(*columns).order_by(AuditEvent.seq))]


def write_again(session: Session, seq: int) -> None:
    """Link the log again from an event on, as whoever owns the database can."""
    events = sealed(session)
    previous = events[seq - 2].hash if seq > 1 else FIRST
    for number, each in enumerate(events[seq - 1 :], seq):
        assert previous is not None
        digest = hash_of(each, number, previous)
        session.execute(
            update(AuditEvent).where(AuditEvent.id == each.id).values(seq=number, previous=previous, hash=digest)
        )
        previous = digest


def alter(session: Session, chance: random.Random) -> None:
    values: dict[str, Any] = chance.choice(
        [{"event": "action.rejected"}, {"actor": "0" * 32}, {"detail": "{}"}, {"hash": "0" * 64},
         {"previous": "1" * 64}, {"happened_at": datetime(2020, 1, 1, tzinfo=UTC)}]
    )  # fmt: skip
    session.execute(update(AuditEvent).where(AuditEvent.seq == chance.randint(1, EVENTS)).values(**values))


def remove(session: Session, chance: random.Random) -> None:
    session.execute(delete(AuditEvent).where(AuditEvent.seq == chance.randint(1, EVENTS - 1)))


def reorder(session: Session, chance: random.Random) -> None:
    first, second = chance.sample(range(1, EVENTS + 1), 2)
    swapped = chance.choice([("seq",), ("seq", "previous", "hash"), ("event", "actor", "detail", "happened_at")])
    rows = {seq: session.scalars(select(AuditEvent).filter_by(seq=seq)).one() for seq in (first, second)}
    values = {seq: {name: getattr(rows[seq], name) for name in swapped} for seq in (first, second)}
    ids = {seq: rows[seq].id for seq in rows}
    if "seq" in swapped:
        session.execute(update(AuditEvent).where(AuditEvent.id == ids[first]).values(seq=-1))
    session.execute(update(AuditEvent).where(AuditEvent.id == ids[second]).values(**values[first]))
    session.execute(update(AuditEvent).where(AuditEvent.id == ids[first]).values(**values[second]))


def cut(session: Session, chance: random.Random) -> None:
    session.execute(delete(AuditEvent).where(AuditEvent.seq > chance.randint(0, EVENTS - 1)))


def fork(session: Session, chance: random.Random) -> None:
    seq = chance.randint(1, EVENTS)
    how = chance.choice(["alter", "remove"])
    if how == "alter":
        session.execute(update(AuditEvent).where(AuditEvent.seq == seq).values(actor="f" * 32))
    else:
        session.execute(delete(AuditEvent).where(AuditEvent.seq == seq))
        note(session, "action.approved", {"action": "invented"}, by=BOB)
        last = session.scalars(select(AuditEvent.id).where(AuditEvent.seq.is_(None))).one()
        session.execute(update(AuditEvent).where(AuditEvent.id == last).values(seq=EVENTS + 1))
    session.flush()
    write_again(session, seq)


MANIPULATIONS: dict[Callable[[Session, random.Random], None], str] = {
    alter: "altered", remove: "altered", reorder: "altered", cut: "truncated", fork: "forked",
}  # fmt: skip


def test_each_of_a_hundred_manipulations_is_found_and_named(store: Engine) -> None:
    fill(store)
    seal(store)
    checkpoint = make_checkpoint(store, KEY)
    assert checkpoint is not None
    assert verify(store, [checkpoint]).finding == "intact"
    found = []
    for number in range(100):
        chance = random.Random(number)  # noqa: S311 - not a secret
        manipulate = chance.choice(list(MANIPULATIONS))
        with store.connect() as connection, connection.begin() as transaction:
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                manipulate(session, chance)
                session.commit()
            found.append((number, MANIPULATIONS[manipulate], verify(connection, [checkpoint]).finding))
            transaction.rollback()
    assert [each for each in found if each[1] != each[2]] == []
    assert len({each[1] for each in found}) == 3
    assert verify(store, [checkpoint]).finding == "intact"


def test_a_checkpoint_that_was_altered_is_refused(store: Engine, tmp_path: Path) -> None:
    fill(store, 3)
    path = tmp_path / "elsewhere" / "checkpoints.jsonl"
    assert make_checkpoint(store, KEY) is None  # nothing is sealed
    for count in (3, 2):
        seal(store)
        made = make_checkpoint(store, KEY)
        assert made is not None
        append_checkpoint(path, made)
        fill(store, count)
    assert [each.seq for each in read_checkpoints(path)] == [3, 6]
    assert verify(store, read_checkpoints(path)).finding == "intact"
    with writing(store) as session:
        session.execute(text("DELETE FROM audit_event WHERE seq > 4"))
    assert verify(store, read_checkpoints(path)).finding == "truncated"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace('"seq": 6', '"seq": 4')]))
    with pytest.raises(BadCheckpoint, match="2: the signature is wrong"):
        read_checkpoints(path)
    other = Checkpoint(**{**json.loads(lines[0]), "time": datetime.now(UTC)})
    path.write_text("nonsense\n")
    with pytest.raises(BadCheckpoint, match="1: not a checkpoint"):
        read_checkpoints(path)
    assert other.key == made.key
