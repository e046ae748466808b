"""What the shipped models say about merges and of who wrote what, on both engines."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leat.assets.build import build
from leat.assets.model import Model
from tests.kit.engines import ENGINES
from tests.kit.loaded import load, utc, warehouse_of
from tests.kit.shipped import some_models

NOW = utc(2026, 3, 31)
MODELS = ("mainline_commits", "branch_merges", "merge_times", "code_ownership", "bus_factor")
Row = dict[str, Any]


class History:
    """Commits as the source reports them; the last one is the head."""

    def __init__(self) -> None:
        self.tables: dict[str, list[Row]] = {
            name: [] for name in ("repositories", "commits", "commit_parents", "commit_files", "merges")
        }
        self.parents: dict[str, Sequence[str]] = {}

    def put(self, name: str, *parents: str, hour: float | None = 0, by: str = "Ann@x.org", **more: Any) -> None:
        at = None if hour is None else utc(2026, 3, 1) + timedelta(hours=hour)
        who = {"author_email": by, "committer_email": by, "authored_at": at, "committed_at": at}
        key = {"repository": "app", "commit": name}
        files = more.pop("files", {})
        self.tables["commits"].append({**key, "parent_count": len(parents), **who, **more})
        for number, parent in enumerate(parents, 1):
            self.tables["commit_parents"].append({**key, "position": number, "parent": parent})
        for path, added in files.items():
            row = {**key, "path": path, "added": added, "deleted": 0, "is_merge": len(parents) > 1}
            self.tables["commit_files"].append(row)
        self.parents[name] = parents

    def head(self, name: str | None, **more: Any) -> None:
        self.tables["repositories"].append({"repository": "app", "head": name, **more})

    def above(self, *names: str) -> set[str]:
        """Return commits and all that they lead to, as ``git rev-list`` does."""
        ancestors, left = set[str](), list(names)
        while left:
            name = left.pop()
            if name not in ancestors and name in self.parents:
                ancestors.add(name)
                left.extend(self.parents[name])
        return ancestors


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, ...]:
    return some_models(tmp_path_factory.mktemp("project"), MODELS, ("version_control",))


@pytest.fixture(params=ENGINES)
def read(models: tuple[Model, ...], request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return a function that builds the models of code and gives their rows by name."""

    def built(history: History) -> dict[str, list[Row]]:
        result = {}
        warehouse = warehouse_of(request.param, tmp_path, request)
        for number, (name, rows) in enumerate(history.tables.items()):
            with warehouse.transaction() as session:  # of many single rows, DuckDB can't keep all tables' in memory
                load(session, "version_control", f"00{number}", {name: rows}, NOW)
        with warehouse.transaction() as session:
            build(session, models, NOW)
            for name in MODELS:
                columns = list(session.columns("analytics", name))
                selected = session.execute(f"SELECT * FROM analytics.{name}")
                result[name] = [dict(zip(columns, row, strict=True)) for row in sorted(selected, key=str)]
        return result

    return built


def test_a_branch_is_what_the_merge_brought(read: Any) -> None:
    made = History()
    made.put("1")
    made.put("2", "1", hour=10)
    made.put("f1", "1", hour=20, by="bob@x.org")
    made.put("g1", "f1", hour=25, by="Cem@x.org")  # a branch of the branch, merged into it
    made.put("f2", "f1", "2", hour=30, by="bob@x.org")  # main merged into the branch brings nothing new to main
    made.put("f3", "f2", "g1", hour=40, by="bob@x.org")
    made.put("3", "2", "f3", hour=60)
    made.put("f4", "f3", hour=70, by="bob@x.org")  # the branch goes on, and is merged again
    made.put("4", "3", "f4", hour=75, by="Bob@x.org")
    made.put("5", "4", "f3", hour=80)  # nothing new
    made.put("o1", "4", hour=90)
    made.put("o2", "4", hour=None)
    made.put("6", "5", "o1", "o2", hour=85)  # an octopus, and clocks that disagree
    made.put("u1", "4", hour=1)  # never merged
    made.head("6")
    made.tables["merges"].append({"repository": "app", "commit": "3", "conflicts": 2})
    actual = read(made)
    assert [row["commit"] for row in sorted(actual["mainline_commits"], key=lambda r: r["steps"])] == list("654321")
    names = ("commits", "authors", "hours_to_merge", "hours_waited", "merged_by", "merged_by_author", "conflicts")
    assert {row["commit"]: tuple(row[name] for name in names) for row in actual["branch_merges"]} == {
        "3": (2, 2, 40.0, 20.0, "ann@x.org", False, 2),
        "4": (1, 1, 5.0, 5.0, "bob@x.org", True, None),
        "6": (2, 1, 0.0, 0.0, "ann@x.org", True, None),
    }
    (month,) = actual["merge_times"]
    assert (month["merges"], month["commits"], month["conflicting"], month["merged_by_author"]) == (3, 5, 1, 2)
    assert (month["median_hours_to_merge"], month["p90_hours_to_merge"]) == (5.0, pytest.approx(33.0))


def test_nothing_comes_of_repositories_without_a_head(read: Any) -> None:
    made = History()
    made.put("1")
    made.put("2", "1", "1")
    made.head(None)
    assert not read(made)["mainline_commits"]


def test_a_long_history_with_many_merges(read: Any) -> None:
    """What came by each merge is what leads to it but not to its first parent; the line is followed to its end."""
    chance = random.Random(4)  # noqa: S311 - test data
    made, line, others = History(), ["m0"], list[str]()
    made.put("m0")
    for number in range(1, 300):
        if chance.random() < 0.4:
            side = f"s{number}"
            made.put(side, chance.choice([*line[-9:], *others[-9:]]), hour=number, by=chance.choice(["a", "b"]))
            others.append(side)
        merged = [chance.choice(others[-5:])] if others and chance.random() < 0.2 else []
        made.put(f"m{number}", line[-1], *merged, hour=number + 1)
        line.append(f"m{number}")
    made.head(line[-1])
    actual = read(made)
    assert {row["commit"]: row["steps"] for row in actual["mainline_commits"]} == {
        name: len(line) - 1 - place for place, name in enumerate(line)
    }
    wanted = {}
    for name in line:
        if len(made.parents[name]) > 1:
            brought = made.above(*made.parents[name][1:]) - made.above(made.parents[name][0])
            if brought:
                wanted[name] = len(brought)
    assert len(wanted) > 20
    assert {row["commit"]: row["commits"] for row in actual["branch_merges"]} == wanted


def test_ownership_and_bus_factor(read: Any) -> None:
    made = History()
    made.put("1", by="Ann@x.org", files={"app/a.py": 50, "app/b/c.py": 10, "README": 3})
    made.put("2", "1", by="ann@x.org", files={"app/a.py": 5, "logo.png": None})
    made.put("3", "2", by="bob@x.org", files={"app/a.py": 40, "bin/x": 0})
    made.put("4", "3", by="cem@x.org", files={"app/d.py": 40, "README": 3})
    made.put("5", "4", "1", by="dee@x.org", files={"app/a.py": 900})  # a merge wrote none of them
    made.put("6", "4", by="dee@x.org", files={"app/z.py": 900}, _deleted_at=NOW)
    made.head("5")
    actual = read(made)
    owners: dict[str, list[Any]] = defaultdict(list)
    for row in sorted(actual["code_ownership"], key=lambda row: row["place"]):
        owners[row["folder"]].append((row["author_email"], row["commits"], row["files"], row["lines_added"]))
    assert owners == {
        "app": [("ann@x.org", 2, 2, 65), ("bob@x.org", 1, 1, 40), ("cem@x.org", 1, 1, 40)],
        "": [("ann@x.org", 2, 2, 3), ("cem@x.org", 1, 1, 3)],
        "bin": [("bob@x.org", 1, 1, 0)],
    }
    factors = {row["folder"]: (row["authors"], row["bus_factor"], row["main_author"]) for row in actual["bus_factor"]}
    assert factors == {"app": (3, 2, "ann@x.org"), "": (2, 2, "ann@x.org")}
