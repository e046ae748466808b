"""A run is killed wherever that can hurt; readers see whole versions all the while, and the next run needs no help.

Every generation of the script replaces all rows of three streams: each row carries the generation's number, and how
many there are follows from it. A mix of two generations, a half of one or a cursor ahead of its rows would be seen.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from leat.pipelines.load.landing import SMALL
from leat.warehouse.connect import open_warehouse
from tests.kit.child import HALF_A_COPY, Point, Reader, run_to_end
from tests.kit.databases import NewDatabase
from tests.kit.engines import EMBEDDED, ENGINES, catalog_of, is_server, shared_lake
from tests.kit.examples import number_of
from tests.kit.project import Tally, delete, full_scan, row, rows

LASTING = 20
RANDOM_KILLS = number_of(0.25)

EVERYTHING = " UNION ALL ".join(
    [
        *(
            f"SELECT '{stream}', count(*), min(revision), max(revision) FROM tally.{stream} WHERE _deleted_at IS NULL"
            for stream in ("fed", "scanned", "kept")
        ),
        "SELECT 'history', count(*), min(revision), max(revision) FROM tally.fed_history WHERE valid_to IS NULL",
        "SELECT 'past', count(*), min(revision), max(revision) FROM tally.fed_as_of(now())",
        "SELECT 'keys', count(DISTINCT (shelf, id)), min(id), max(id) FROM tally.fed WHERE _deleted_at IS NULL",
        "SELECT 'cursor', count(*), max(CAST(cursor ->> 'line' AS BIGINT)), 0 FROM leat.cursors",
    ]
)

LANDING = [
    *(Point("observe", phase) for phase in ("started", "extracting", "extracted", "normalized")),
    Point("progress", nth=1),
    Point("progress", nth=2),
    Point("audit", "open /_dlt_loads/"),
    *(Point("audit", "os.remove .parquet", nth) for nth in (1, 2, 4)),
    Point("audit", "os.rmdir landing"),
]
"""Where the landing is written, or removed after the load was applied: DuckDB alone, for no engine has a part in it.

The next run removes a landing that isn't complete, or whose ``plan.json`` is gone, without a look into the warehouse.
``plan.json`` is the first file to be removed, so all that comes after it is such a landing. Up to then the next run
compares the landing with what the warehouse has: those points, and the lock of a killed run, are in ``POINTS``.
"""
POINTS = [
    *(Point("observe", phase) for phase in (
        "landed", "applying", "checking", "committing", "applied", "publishing", "published",
    )),
    Point("sql", 'UPDATE "tally"."fed"'),
    Point("sql", 'INSERT INTO "tally"."fed"'),
    Point("sql", 'INSERT INTO "tally"."fed_history"'),
    Point("sql", 'INSERT INTO "tally"."scanned"'),
    Point("sql", 'DELETE FROM "tally"."fed" WHERE _deleted_at'),
    Point("sql", 'INSERT INTO "leat"."cursors"'),
    Point("sql", 'INSERT INTO "leat"."loads"'),
    Point("sql", 'INSERT INTO "leat"."load_streams"'),
    Point("audit", "os.remove plan.json"),
    Point("audit", "shutil.rmtree /landing/tally/"),
]  # fmt: skip
MARKED_BY_DLT = Point("audit", r"os.rename /normalized/[0-9.]+$")
"""dlt has written its marker."""
OF_THE_FILE = [
    Point("sql", "CHECKPOINT"),
    HALF_A_COPY,
    Point("audit", "fcntl.ioctl"),
    Point("audit", "os.utime .draft"),
    Point("audit", "os.rename .draft"),
]

OF_THE_LAKE = [
    Point("sql", 'INSERT INTO "tally"."fed"'),
    Point("sql", "COMMIT"),
    Point("audit", "leat.copy .draft"),
    Point("audit", "os.utime .draft"),
    Point("audit", "os.rename .draft"),
]
OF_THE_SHARED_LAKE = [
    Point("observe", "landed"),
    Point("observe", "checking"),
    Point("sql", 'INSERT INTO "tally"."fed"'),
    Point("sql", "ducklake_set_commit_message"),
    Point("sql", "COMMIT"),
    Point("observe", "applied"),
]


def size(generation: int) -> int:
    """Return how many rows a generation has in the streams that lose rows."""
    return 30 + generation % 7


def add_generation(tally: Tally, padding: int = 0) -> None:
    generation = generations(tally) + 1
    things = [row(i, f"g{generation}", revision=generation) for i in range(size(generation))]
    lasting = [row(i, f"g{generation}" + "x" * padding, revision=generation) for i in range(LASTING)]
    tally.then(
        delete("fed", shelf="a"), rows("fed", *things),
        rows("scanned", *things) | {"latest": True}, full_scan("scanned") | {"latest": True}, rows("kept", *lasting),
    )  # fmt: skip


def expected(generation: int) -> list[tuple[Any, ...]]:
    n, g = size(generation), generation
    return [
        ("fed", n, g, g), ("scanned", n, g, g), ("kept", LASTING, g, g), ("history", n, g, g),
        ("past", n, g, g),
        ("keys", n, 0, n - 1), ("cursor", 1, g, 0),
    ]  # fmt: skip


def url_of(engine: str, folder: Path, new_database: NewDatabase, copied: str | None = None) -> str | None:
    """Return the warehouse of a project: empty, or a copy of another one whose files are in the folder already."""
    if engine in EMBEDDED:
        return EMBEDDED[engine]
    database = new_database(None if copied is None else catalog_of(copied))
    if engine == "postgres":
        return database
    files = folder / "files"
    if copied is not None:
        with psycopg2.connect(database) as moved, moved.cursor() as cursor:
            cursor.execute("UPDATE ducklake_metadata SET value = %s WHERE key = 'data_path'", (f"{files}/",))
        moved.close()
    return shared_lake(database, files)


FirstGeneration = Callable[[Path, str], Tally]


@pytest.fixture(scope="session")
def first_generation(tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> FirstGeneration:
    """Give a function that makes a project in which the first generation is loaded: a copy of one of that engine."""
    made: dict[str, Tally] = {}

    def copy(folder: Path, engine: str) -> Tally:
        if engine not in made:
            where = tmp_path_factory.mktemp("generation")
            made[engine] = declared(Tally(where, url_of(engine, where, new_database)))
            add_generation(made[engine])
            loaded(made[engine])
        shutil.copytree(made[engine].folder, folder, dirs_exist_ok=True)
        return declared(Tally(folder, url_of(engine, folder, new_database, made[engine].warehouse_url)))

    return copy


@pytest.fixture(params=ENGINES)
def begun(
    request: pytest.FixtureRequest, first_generation: FirstGeneration, new_database: NewDatabase, tmp_path: Path
) -> Iterator[Tally]:
    """Give a project with the first generation loaded, on both engines."""
    tally = first_generation(tmp_path, request.param)
    yield tally
    if is_server(tally.warehouse_url):
        new_database.drop(catalog_of(str(tally.warehouse_url)))


def declared(tally: Tally) -> Tally:
    tally.declare("{fed: {history: true, retain: {deleted: P0D}}}")
    return tally


def loaded(tally: Tally) -> None:
    """Run to the end and look at everything: nothing missing, nothing twice, nothing left behind."""
    result = run_to_end(tally)
    assert result is not None
    assert result["status"] in ("loaded", "nothing_new"), result["error"]
    generation = len(tally.script.read_text().splitlines())
    with open_warehouse(tally.warehouse_url, tally.project.state).published() as session:
        assert sorted(session.execute(EVERYTHING)) == sorted(expected(generation))
        for stream in ("fed", "scanned", "kept"):
            doubled = f"SELECT shelf, id FROM tally.{stream} GROUP BY shelf, id HAVING count(*) > 1"
            assert session.execute(doubled) == []
        doubled = "SELECT load_id, stream FROM leat.load_streams GROUP BY load_id, stream HAVING count(*) > 1"
        assert session.execute(doubled) == []
    landing = tally.project.state / "landing"
    assert [path for path in landing.rglob("*") if path.name not in ("tally", "tally.lock")] == []


def only_whole_versions(seen: Any, upto: int) -> None:
    assert seen.errors == []
    versions = [sorted(expected(generation)) for generation in range(1, upto + 1)]
    numbers = [versions.index(sorted(answer)) for answer in seen.answers]
    assert numbers == sorted(numbers), "a reader went back"


def generations(tally: Tally) -> int:
    return len(tally.script.read_text().splitlines())


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_killed_at(begun: Tally, point: Point) -> None:
    killed_at(begun, point)


@pytest.mark.parametrize("point", [*LANDING, Point("audit", "os.rmdir _dlt_loads"), *OF_THE_FILE], ids=str)
def test_killed_while_files_are_written(tmp_path: Path, first_generation: FirstGeneration, point: Point) -> None:
    killed_at(first_generation(tmp_path, "duckdb"), point)


@pytest.mark.parametrize("point", OF_THE_LAKE, ids=str)
def test_killed_while_a_lake_is_written(tmp_path: Path, first_generation: FirstGeneration, point: Point) -> None:
    killed_at(first_generation(tmp_path, "ducklake"), point)


@pytest.mark.parametrize("point", OF_THE_SHARED_LAKE, ids=str)
def test_killed_while_a_shared_lake_is_written(tmp_path: Path, first_generation: FirstGeneration, point: Point) -> None:
    killed_at(first_generation(tmp_path, "shared"), point)


@pytest.mark.parametrize("point", [*LANDING, Point("audit", "os.rmdir landing", 3)], ids=str)
def test_killed_while_dlt_writes_files(tmp_path: Path, first_generation: FirstGeneration, point: Point) -> None:
    killed_at(first_generation(tmp_path, "duckdb"), point, padding=SMALL // LASTING + 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_when_dlt_has_written_its_marker(tmp_path: Path, first_generation: FirstGeneration, engine: str) -> None:
    killed_at(first_generation(tmp_path, engine), MARKED_BY_DLT, padding=SMALL // LASTING + 1)


def killed_at(tally: Tally, point: Point, padding: int = 0) -> None:
    add_generation(tally, padding)
    with Reader(tally, EVERYTHING) as reader:
        assert run_to_end(tally, point) is None, "the point was never reached"
        add_generation(tally)
        add_generation(tally)
        loaded(tally)
    only_whole_versions(reader.seen, generations(tally))


@pytest.mark.parametrize(
    "point",
    [
        Point("observe", "landed"), Point("observe", "committing"), Point("sql", "leat.load_time"),
        Point("sql", '"fed_as_of"'), Point("sql", 'INSERT INTO "leat"."retention"'),
    ],
    ids=str,
)  # fmt: skip
def test_killed_in_the_first_load_of_all(tally: Tally, point: Point) -> None:
    add_generation(declared(tally))
    assert run_to_end(tally, point) is None
    add_generation(tally)
    loaded(tally)


def test_killed_again_and_again_while_recovering(begun: Tally) -> None:
    tally = begun
    with Reader(tally, EVERYTHING) as reader:
        for point in ("landed", "committing", "applied", "extracted", "landed", "applying"):
            add_generation(tally)
            assert run_to_end(tally, Point("observe", point)) is None
        loaded(tally)
    only_whole_versions(reader.seen, generations(tally))


def test_killed_at_random_moments(begun: Tally) -> None:
    """Kill runs some milliseconds after a random one of the audit events of a run: anywhere, also in a library.

    What happens in between is counted, not timed, so that the load of the machine doesn't matter.
    """
    chance, tally = random.Random(20261121), begun  # noqa: S311
    add_generation(tally)
    result = run_to_end(tally, Point("audited", nth=0))
    assert result is not None
    killed = 0
    with Reader(tally, EVERYTHING) as reader:
        for number in range(RANDOM_KILLS):
            for _ in range(chance.randint(1, 2)):
                add_generation(tally)
            nth = int(result["audited"] * (number + chance.random()) / RANDOM_KILLS)
            killed += run_to_end(tally, Point("audited", str(chance.choice((0, 1, 5))), max(nth, 1))) is None
            if number % 2:  # every other time it is killed twice in a row
                loaded(tally)
        loaded(tally)
    only_whole_versions(reader.seen, generations(tally))
    assert killed > RANDOM_KILLS * 0.8, "most runs must not have come to their end"
