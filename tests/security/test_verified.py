"""Remembered tokens and sessions: no query while nothing changes, refused once something has; on both stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, create_engine, event, text

from leat.control.changes import SECONDS, StoreChanges
from leat.control.engine import writing
from leat.security.default_policy import DEFAULT_POLICY
from leat.security.people import Identity, save_person
from leat.security.policy import Policy
from leat.security.principal import local_principal
from leat.security.sessions import IDLE, create_session, end_session, read_session
from leat.security.tokens import create_token, revoke_token, verify_token
from leat.security.verified import Verified

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_token_is_looked_up_once_and_again_when_something_has_changed(store: Engine) -> None:
    seconds, queries = [0.0], list[str]()
    event.listen(store, "before_cursor_execute", lambda *args: queries.append(args[2]))
    other = create_engine(store.url)  # its writes are those of another process
    changes = StoreChanges(store, lambda: seconds[0])
    tokens = Verified(changes.version, verify_token)

    def elsewhere(statement: str, **values: Any) -> None:
        with other.begin() as connection:
            connection.execute(text(statement), values)

    def passes() -> None:
        """On Postgres, what others change may go unseen for a second; on SQLite it may not."""
        if store.dialect.name == "postgresql":
            assert tokens.find(shown, DEFAULT_POLICY, NOW) is not None
            seconds[0] += SECONDS

    row, shown = create_token(store, local_principal("operator"), "nightly", NOW + DAY, now=NOW)
    assert tokens.find(shown, DEFAULT_POLICY, NOW) is None
    first = tokens.read(store, shown, DEFAULT_POLICY, NOW)
    assert tokens.read(store, shown, DEFAULT_POLICY, NOW) == first  # the first use was noted, which was a change
    queries.clear()
    assert tokens.find(shown, DEFAULT_POLICY, NOW) == tokens.read(store, shown, DEFAULT_POLICY, NOW) == first
    assert queries == []
    assert tokens.find(f"{shown}x", DEFAULT_POLICY, NOW) is None
    assert tokens.find(shown, Policy(()), NOW) is None
    assert tokens.find(shown, DEFAULT_POLICY, NOW + DAY) is None

    elsewhere("UPDATE person SET role = 'viewer'")
    passes()
    assert tokens.find(shown, DEFAULT_POLICY, NOW) is None
    again = tokens.read(store, shown, Policy(DEFAULT_POLICY.rules, {"default": "viewer"}), NOW)
    assert again is not None
    assert again.principal.role == "viewer"

    tokens.read(store, shown, DEFAULT_POLICY, NOW)
    elsewhere("UPDATE api_token SET revoked_at = :now", now=NOW.replace(tzinfo=None))
    passes()
    assert tokens.read(store, shown, DEFAULT_POLICY, NOW) is None
    elsewhere("UPDATE api_token SET revoked_at = NULL")
    assert tokens.read(store, shown, DEFAULT_POLICY, NOW) == first

    assert revoke_token(store, row.id, local_principal(), NOW)  # by this process: at once on both
    assert tokens.find(shown, DEFAULT_POLICY, NOW) is None
    assert tokens.read(store, shown, DEFAULT_POLICY, NOW) is None
    other.dispose()
    changes.close()


def test_a_session_is_looked_up_once_and_refused_when_it_has_ended(store: Engine) -> None:
    seconds, queries = [0.0], list[str]()
    event.listen(store, "before_cursor_execute", lambda *args: queries.append(args[2]))
    other = create_engine(store.url)
    changes = StoreChanges(store, lambda: seconds[0])
    sessions = Verified(changes.version, read_session)

    def signed_in() -> str:
        with writing(store) as session:
            person = save_person(session, Identity("https://id.example", "ada", "ada"), "operator", NOW)
            return create_session(session, person, "oidc", NOW)

    ended_here, ended_elsewhere, unused = signed_in(), signed_in(), signed_in()
    for each in (ended_here, ended_elsewhere, unused):
        assert sessions.read(store, each, DEFAULT_POLICY, NOW) is not None
    queries.clear()
    first = sessions.find(ended_here, DEFAULT_POLICY, NOW)
    assert first == sessions.read(store, ended_here, DEFAULT_POLICY, NOW)
    assert first is not None
    assert (first.principal.role, queries) == ("operator", [])
    assert sessions.find(ended_here, Policy(()), NOW) is None
    assert sessions.find(ended_here, DEFAULT_POLICY, first.until) is None, "its use has to be noted again"
    assert sessions.read(store, unused, DEFAULT_POLICY, NOW + IDLE) is None
    assert sessions.read(store, unused, DEFAULT_POLICY, NOW) is not None

    assert end_session(store, ended_here)  # by this process: at once on both
    assert sessions.read(store, ended_here, DEFAULT_POLICY, NOW) is None
    assert sessions.read(store, ended_elsewhere, DEFAULT_POLICY, NOW) is not None
    with other.begin() as connection:
        connection.execute(text("DELETE FROM access_session"))
    if store.dialect.name == "postgresql":  # another process, which may go unseen for a second
        seconds[0] += SECONDS
    assert sessions.read(store, ended_elsewhere, DEFAULT_POLICY, NOW) is None
    other.dispose()
    changes.close()
