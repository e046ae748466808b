"""Tokens that are remembered: no query while nothing changes, refused once something has; on both stores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, create_engine, event, text

from leat.control.changes import SECONDS, StoreChanges
from leat.security.default_policy import DEFAULT_POLICY
from leat.security.policy import Policy
from leat.security.principal import local_principal
from leat.security.tokens import create_token, revoke_token
from leat.security.verified_tokens import VerifiedTokens

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_token_is_looked_up_once_and_again_when_something_has_changed(store: Engine) -> None:
    seconds, queries = [0.0], list[str]()
    event.listen(store, "before_cursor_execute", lambda *args: queries.append(args[2]))
    other = create_engine(store.url)  # its writes are those of another process
    changes = StoreChanges(store, lambda: seconds[0])
    tokens = VerifiedTokens(changes.version)

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
    assert again.role == "viewer"

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
