"""Drafts of declarations in the control store, on both kinds of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import update

from leat.control.draft_tables import Draft as Row
from leat.pipelines.load.preview import Preview
from leat.runs.connecting.draft import Draft, Drafts, Trial
from leat.runs.workspace import Workspace, open_workspace
from leat.sources.driver import SetupTest
from tests.kit.command import tally_project

ROW = (1, None, "Ada", datetime(2026, 1, 2, 3, tzinfo=UTC), date(2026, 1, 2), Decimal("1.50"), b"\x00", True)
SHOWN = Preview("fed", "one row", tuple("abcdefgh"), (ROW,), (("no id", 2),), 1, "", False, None, "", ("a note",))


@pytest.fixture(params=["sqlite", "postgres"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    if request.param == "postgres":
        monkeypatch.setenv("LEAT_CONTROL", request.getfixturevalue("postgres_url"))
    opened = open_workspace(tally_project(tmp_path).folder)
    yield opened
    opened.close()


def tried(drafts: Drafts) -> Draft:
    draft = drafts.add("ada", "shop", {"connection": {"url": "x"}}, {"name": "shop"})
    draft.trial.show("connecting")
    draft.trial.tests.append(SetupTest("reachable", ok=True, detail=""))
    draft.trial.previews.append(SHOWN)
    drafts.try_here(draft, draft.trial)
    return draft


def change(workspace: Workspace, **values: object) -> None:
    with workspace.store.begin() as connection:
        connection.execute(update(Row).values(values))


def test_another_server_sees_the_same_until_it_is_removed(workspace: Workspace) -> None:
    here, there = Drafts(workspace), Drafts(workspace)
    draft = tried(here)
    assert there.find(draft.id, "ada") == draft
    assert there.find(draft.id, "bob") is None
    with workspace.store.connect() as connection:
        (row,) = connection.execute(Row.__table__.select()).all()
    assert not any(part in bytes(row.content) + row.name.encode() for part in (b"Ada", b"shop", draft.id.encode()))
    draft.trial.doing, draft.trial.ended = "", True
    here.end_here(draft, draft.trial)
    assert there.find(draft.id, "ada") == draft
    there.remove(draft)
    assert here.find(draft.id, "ada") is None


def test_one_that_was_removed_while_it_was_tried_stays_away(workspace: Workspace) -> None:
    drafts = Drafts(workspace)
    draft = tried(drafts)
    drafts.remove(draft)
    drafts.store_tried(draft, draft.trial)
    drafts.end_here(draft, draft.trial)
    assert drafts.find(draft.id, "ada") is None


def test_the_end_of_a_trial_does_not_end_the_next_one(workspace: Workspace) -> None:
    drafts = Drafts(workspace)
    draft = tried(drafts)
    before, again = draft.trial, Trial(doing="connecting")
    drafts.try_here(draft, again)
    drafts.end_here(draft, before)
    again.show("reading rows")
    drafts.store_tried(draft, again)
    seen = Drafts(workspace).find(draft.id, "ada")
    assert seen is not None
    assert seen.trial.doing == "reading rows"


def test_a_trial_whose_server_has_ended_says_so(workspace: Workspace) -> None:
    draft = tried(Drafts(workspace))
    change(workspace, tried_until=datetime.now(UTC) - timedelta(seconds=1))
    lost = Drafts(workspace).find(draft.id, "ada")
    assert lost is not None
    assert (lost.trial.ended, lost.trial.ok) == (True, False)
    assert lost.trial.tests[-1].detail == "the server that tried it has ended. Next: test again"


def test_what_nobody_looks_at_goes(workspace: Workspace) -> None:
    drafts = Drafts(workspace)
    draft = tried(Drafts(workspace))
    change(workspace, seen_at=datetime.now(UTC) - timedelta(hours=3))
    assert drafts.find(draft.id, "ada") is not None  # which counts as a look
    drafts.add("ada", "other", {}, {})
    assert drafts.find(draft.id, "ada") is not None
    change(workspace, seen_at=datetime.now(UTC) - timedelta(hours=5))
    assert drafts.find(draft.id, "ada") is None
    drafts.add("ada", "other", {}, {})
    with workspace.store.connect() as connection:
        assert len(connection.execute(Row.__table__.select()).all()) == 1
