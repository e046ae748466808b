"""What the shipped model says about tickets of the support desk, on both engines."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.assets.build import build
from leat.assets.model_files import load_models
from tests.kit.engines import ENGINES
from tests.kit.loaded import REPOSITORY, load, project, utc, warehouse_of
from tests.kit.people import declarations, load_declared, rows_of, user

NOW = utc(2026, 11, 20, 9)
Row = dict[str, Any]
Tickets = Callable[..., dict[int, Row]]


def ago(hours: float) -> Any:
    return NOW - timedelta(hours=hours)


def ticket(number: int, opened: float, closed: float | None = None, **more: Any) -> Row:
    ends = {} if closed is None else {"closed_at": ago(closed), "status": "closed"}
    return {"number": number, "subject": "?", "status": "open", "opened_at": ago(opened), **ends, **more}


def message(number: int, of: int, from_customer: int, hours: float, **more: Any) -> Row:
    return {"id": number, "ticket_number": of, "from_customer": from_customer, "written_at": ago(hours), **more}


@pytest.fixture(params=ENGINES)
def tickets(request: pytest.FixtureRequest, tmp_path: Path) -> Tickets:
    """Give a function that builds the model from tickets, messages and, if given, users of single sign-on."""
    warehouse = warehouse_of(request.param, tmp_path, request)

    def built(
        listed: Sequence[Row], messages: Sequence[Row] = (), users: Sequence[Row] | None = None
    ) -> dict[int, Row]:
        into = tmp_path / "project" / "assets" / "models"
        into.mkdir(parents=True)
        shutil.copy(REPOSITORY / "assets" / "models" / "tickets.sql", into)
        names = ["support"] if users is None else ["support", "sso"]
        models = load_models(project(tmp_path / "project"), {name: declarations()[name] for name in names})
        given: Mapping[str, Sequence[Row]] = {"tickets": listed, "messages": messages}
        with warehouse.transaction() as session:
            load_declared(session, "support", given, NOW)
            if users is not None:
                load(session, "sso", "001", {"users": users}, NOW)
            (result,) = build(session, models, NOW)
            assert result.status == "built", result
            return {row["number"]: row for row in rows_of(session, "tickets")}

    return built


def test_whose_turn_it_is_and_how_long_the_answer_took(tickets: Tickets) -> None:
    rows = tickets(
        [ticket(1, 10), ticket(2, 10), ticket(3, 10), ticket(4, 30, 6), ticket(5, 8), ticket(6, 8, _deleted_at=NOW)],
        [
            message(1, 1, 1, 10),
            message(2, 2, 1, 10), message(3, 2, 0, 7.5),
            message(4, 3, 1, 10), message(5, 3, 0, 9), message(6, 3, 1, 2),
            message(7, 4, 0, 6),
            message(8, 1, 0, 1, _deleted_at=NOW),
        ],
    )  # fmt: skip
    names = ("is_open", "waits_for", "messages", "hours_to_answer", "hours_open")
    assert {number: tuple(row[name] for name in names) for number, row in rows.items()} == {
        1: (True, "support", 1, None, 10),
        2: (True, "customer", 2, 2.5, 10),
        3: (True, "support", 3, 1, 10),
        4: (False, None, 1, 24, 24),
        5: (True, "support", 0, None, 8),
    }


def test_a_status_alone_closes_a_ticket(tickets: Tickets) -> None:
    (row,) = tickets([ticket(1, 10, status="Closed")]).values()
    assert (row["is_open"], row["waits_for"], row["hours_open"]) == (False, None, None)


def test_addresses_and_orders_are_written_as_elsewhere(tickets: Tickets) -> None:
    users = [user("old", "gus@x.org", active=False), user("gus", "GUS@x.org"), user("eve", "eve@x.org", active=False)]
    rows = tickets(
        [
            ticket(1, 1, customer_email=" Ann@Y.org ", assignee_email="Gus@X.org ", order_number=1009),
            ticket(2, 1, assignee_email="eve@x.org"),
            ticket(3, 1, assignee_email="nobody@x.org"),
        ],
        users=users,
    )
    assert (rows[1]["customer_email"], rows[1]["assignee_email"], rows[1]["order_key"]) == (
        "ann@y.org", "gus@x.org", "1009",
    )  # fmt: skip
    assert [(rows[n]["assignee_id"], rows[n]["assignee_active"]) for n in (1, 2, 3)] == [
        ("id-gus", True), ("id-eve", False), (None, None),
    ]  # fmt: skip
