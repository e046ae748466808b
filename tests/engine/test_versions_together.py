"""Two versions of leat on one control store: what a migration may add while the version before goes on working."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

import leat.control.migrations
from leat.control.audit_events import note_alone
from leat.control.migrations import HEAD, oldest_leat
from leat.control.moving import copy_control
from leat.control.store import Counts, Declared, end_run, open_control, recent_runs, register, start_run
from leat.warehouse.session import WarehouseError

HERE = Path(str(leat.control.migrations.__file__)).parent
HEADER = "import sqlalchemy as sa\nfrom alembic import op\n\nrevision = {revision!r}\ndown_revision = {down!r}\n\n\n"
EXPANDS = """def upgrade() -> None:
    op.create_table("future", sa.Column("id", sa.Integer, primary_key=True), sa.Column("run_id", sa.String(64)))
    op.add_column("run", sa.Column("machine", sa.String(255)))
    op.add_column("integration", sa.Column("tier", sa.Integer, nullable=False, server_default="1"))
    op.create_index("ix_run_machine", "run", ["machine"])
"""
CONTRACTS = """def upgrade() -> None:
    with op.batch_alter_table("run") as table:
        table.drop_column("error_type")
"""
NEXT = f"9001_from_{HEAD}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'control.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """Give the migrations of a newer leat: one more that expands, and one more that contracts."""
    folder = tmp_path / "migrations"
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for revision, down, body in ((NEXT, HEAD, EXPANDS), ("9002", NEXT, CONTRACTS)):
        (folder / "versions" / f"{revision}.py").write_text(HEADER.format(revision=revision, down=down) + body)
    return folder


def upgrade(store: Engine, folder: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(folder))
    with store.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_this_version_works_on_a_store_that_the_next_has_expanded(url: str, newer: Path, tmp_path: Path) -> None:
    store = open_control(url)
    before = schema_of(store)
    upgrade(store, newer, NEXT)
    assert breaking(before, schema_of(store)) == []
    store.dispose()
    old = open_control(url)
    register(old, {"payments": Declared("payments", "", "stripe", "")})
    run = start_run(old, "payments", "cli", holds_lock=True)
    end_run(old, run, "loaded", Counts())
    note_alone(old, "publish.published")
    assert [each.status for each in recent_runs(old, None, 5)] == ["loaded"]
    with pytest.raises(WarehouseError, match="move with that leat"):
        copy_control(url, f"sqlite:///{tmp_path / 'copy.db'}")
    upgrade(old, newer, "9002")
    assert breaking(before, schema_of(old)) == ["run.error_type is gone"]
    old.dispose()
    with pytest.raises(WarehouseError, match="schema 9002, this leat knows"):
        open_control(url)


@pytest.mark.parametrize(("revision", "oldest"), [("0020", "0020"), ("0042_from_0040", "0040")])
def test_an_id_names_the_oldest_version(revision: str, oldest: str) -> None:
    assert oldest_leat(revision) == oldest


def test_revisions_are_what_their_ids_say(tmp_path: Path) -> None:
    scripts = list(reversed(list(ScriptDirectory(str(HERE)).walk_revisions())))
    numbers = [each.revision for each in scripts]
    for place, script in enumerate(scripts):
        oldest = oldest_leat(script.revision)
        if oldest == script.revision:
            continue
        assert oldest in {number.partition("_")[0] for number in numbers[:place]}
        between = [number for number in numbers[:place] if number.partition("_")[0] > oldest]
        assert all(oldest_leat(number) <= oldest for number in between), script.revision
    assert [each for each in _broken_promises(tmp_path, HERE)] == []


def test_a_revision_that_only_says_that_it_expands_is_noticed(tmp_path: Path, newer: Path) -> None:
    for path in (newer / "versions").glob("900*.py"):
        path.unlink()
    (newer / "versions" / "next.py").write_text(HEADER.format(revision=NEXT, down=HEAD) + CONTRACTS)
    assert list(_broken_promises(tmp_path, newer)) == [f"{NEXT}: run.error_type is gone"]


def _broken_promises(tmp_path: Path, folder: Path) -> Iterator[str]:
    """Go through the revisions of a folder one by one, and yield what those break that say they expand."""
    scripts = list(reversed(list(ScriptDirectory(str(folder)).walk_revisions())))
    if all(oldest_leat(each.revision) == each.revision for each in scripts):
        return
    store = open_control(f"sqlite:///{tmp_path / 'steps.db'}")
    first = next(n for n, each in enumerate(scripts) if oldest_leat(each.revision) != each.revision)
    config = Config()
    config.set_main_option("script_location", str(HERE))
    if scripts[first - 1].revision != HEAD:
        with store.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, scripts[first - 1].revision)
    for each in scripts[first:]:
        before = schema_of(store)
        upgrade(store, folder, each.revision)
        if oldest_leat(each.revision) != each.revision:
            yield from (f"{each.revision}: {what}" for what in breaking(before, schema_of(store)))
    store.dispose()


def schema_of(store: Engine) -> dict[str, dict[str, Any]]:
    there = inspect(store)
    return {
        table: {
            "columns": {each["name"]: each for each in there.get_columns(table)},
            "unique": {
                tuple(each["column_names"])
                for each in (*there.get_unique_constraints(table), *there.get_indexes(table))
                if each.get("unique", True)
            },
        }
        for table in there.get_table_names()
        if table != "alembic_version"
    }


def breaking(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[str]:
    """Return what a version that was made for the schema before would miss, or couldn't write."""
    broken = [f"{table} is gone" for table in before if table not in after]
    for table in before.keys() & after.keys():
        old, new = before[table]["columns"], after[table]["columns"]
        broken += [f"{table}.{name} is gone" for name in old if name not in new]
        broken += [
            f"{table}.{name} has another type"
            for name in old.keys() & new.keys()
            if str(old[name]["type"]) != str(new[name]["type"])
        ]
        broken += [
            f"{table}.{name} has no default"
            for name in new.keys() - old.keys()
            if not new[name]["nullable"] and new[name]["default"] is None
        ]
        broken += [f"{table} is unique in {names}" for names in after[table]["unique"] - before[table]["unique"]]
    return sorted(broken)
