"""Threads by References and In-Reply-To (after RFC 5256, THREAD=REFERENCES, without its last step: the subject).

Each id has at most one parent, the first that was seen; a thread is what hangs below one id that has none, and is named
by the hash of that id. When such an id gets a parent, two threads become one, and the messages of the lower one get
another ``thread_id``: they are read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Any

from leat.sources.email.imap.index import Index, microseconds, moment_of
from leat.sources.events import Delete, Event
from leat.sources.multi_batch import Replacement

_LONGEST_CHAIN = 10_000


def thread_of(index: Index, key: Mapping[str, Any], message_id: str | None, ancestors: Sequence[str]) -> str:
    """Return the thread of a message, after what it says about its ancestors was written down."""
    account = str(key["account"])
    own = own_id(key, message_id)
    chain = [*(_hash(one) for one in ancestors if one != message_id), own]
    for parent, child in pairwise(chain):
        _link(index, account, parent, child)
    return _root(index, account, own)


def own_id(key: Mapping[str, Any], message_id: str | None) -> str:
    """Return the hash of a message's id; of its key when it has none."""
    return _hash(message_id or f"{key['mailbox']}\0{key['uidvalidity']}\0{key['uid']}")


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:24]


def _link(index: Index, account: str, parent: str, child: str) -> None:
    """Hang a child below a parent, unless it has one, or the parent hangs below the child."""
    if _parent(index, account, child) is not None:
        return
    root = _root(index, account, parent)
    if root == child:
        return
    index.write("INSERT INTO parent VALUES (?, ?, ?)", account, child, parent)
    moved = list(index.read("SELECT mailbox, uid FROM message WHERE account = ? AND thread = ?", account, child))
    if moved:
        index.write_many("INSERT OR IGNORE INTO again VALUES (?, ?, ?)", ((account, *one) for one in moved))
        index.write("UPDATE message SET thread = ? WHERE account = ? AND thread = ?", root, account, child)
        touch(index, account, child)
        touch(index, account, root)


def _root(index: Index, account: str, one: str) -> str:
    for _ in range(_LONGEST_CHAIN):
        above = _parent(index, account, one)
        if above is None:
            break
        one = above
    return one


def _parent(index: Index, account: str, one: str) -> str | None:
    row = index.first("SELECT parent FROM parent WHERE account = ? AND child = ?", account, one)
    return None if row is None else str(row[0])


def touch(index: Index, account: str, thread: str) -> None:
    """Remember that the row of a thread has to be written again."""
    index.write("INSERT OR IGNORE INTO touched VALUES (?, ?)", account, thread)


def remember(index: Index, key: Mapping[str, Any], own: str, thread: str, flags: str, at: Any) -> None:
    """Write a message down."""
    values = (key["account"], key["mailbox"], key["uid"], key["uidvalidity"], flags, own, thread, microseconds(at))
    index.write("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)
    touch(index, str(key["account"]), thread)


def threads_touched(index: Index, out: Replacement) -> Iterator[Event]:
    """Yield the rows of the threads that changed, and the deletes of those that are empty.

    The order of the join and the index are given, since SQLite would look through all messages for every thread.
    """
    gone = (
        "SELECT account, thread FROM touched t WHERE NOT EXISTS "
        "(SELECT 1 FROM message m WHERE m.account = t.account AND m.thread = t.thread)"
    )
    for account, thread in index.read(gone):
        yield Delete("threads", {"account": account, "thread_id": thread})
    rows = index.read(
        "SELECT account, thread, count(DISTINCT own), json_group_array(DISTINCT mailbox), min(at), max(at) "
        "FROM touched CROSS JOIN message INDEXED BY by_thread USING (account, thread) GROUP BY account, thread"
    )
    for account, thread, messages, mailboxes, first, last in rows:
        row = {
            "account": account,
            "thread_id": thread,
            "messages": messages,
            "mailboxes": sorted(json.loads(mailboxes)),
        }
        yield from out.add("threads", {**row, "first_at": moment_of(first), "last_at": moment_of(last)})
    yield from out.flush()
