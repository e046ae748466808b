"""People are erased from a lake that several machines write: rows, files in an object store, and the catalog."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest

from leat.demo.servers.process import running
from leat.demo.servers.seaweedfs import start_seaweedfs
from leat.runs.subjects.erasing import erase, plan_erasure
from leat.runs.workspace import open_workspace
from leat.sources.driver import add_sources
from leat.sources.identity import parse_identity
from tests.kit.child import CONTEXT, Point, _arm
from tests.kit.club import ADA, OF_ADA, Club, club_project, everything
from tests.kit.databases import NewDatabase
from tests.kit.engines import catalog_of, shared_lake
from tests.kit.traces import traces

KEY, SECRET = "AKIALAKE", "planted-secret-77120"
SUMS = "SELECT count(*), sum(amount), count(DISTINCT member_id) FROM club.sales WHERE _deleted_at IS NULL"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a SeaweedFS that has a bucket."""
    with running(start_seaweedfs(tmp_path_factory.mktemp("weed"), {"lake": (KEY, SECRET)})) as process:
        url = f"http://127.0.0.1:{process.port}"
        bucket(url).create_bucket(Bucket="lake")
        yield url


def bucket(endpoint: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
    )


@pytest.fixture(params=["store", "folder"])
def club(request: pytest.FixtureRequest, new_database: NewDatabase, tmp_path: Path) -> Iterator[Club]:
    """Give a club that has been loaded into a lake, as one of its machines has it."""
    catalog, control = new_database(), new_database()
    variables = {"LEAT_CONTROL": control, "LEAT_WAREHOUSE": shared_lake(catalog, tmp_path / "files")}
    if request.param == "store":
        variables["LEAT_WAREHOUSE"] = shared_lake(catalog, f"s3://lake/{tmp_path.name}")
        variables["AWS_ENDPOINT_URL"] = request.getfixturevalue("endpoint")
        variables |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    club = club_project(tmp_path / "project", **variables)
    club.then(*everything())
    assert club.run()["integrations"][0]["status"] == "loaded"
    yield club
    for url in (catalog, control):
        new_database.drop(url)


def left_of_ada(club: Club, folder: Path) -> list[Any]:
    """Return where a value of Ada's still is: state folder, files of the lake, catalog, control store."""
    files = folder / "files"
    if endpoint := club.leat.variables.get("AWS_ENDPOINT_URL"):
        s3 = bucket(endpoint)
        for each in s3.list_objects_v2(Bucket="lake", Prefix=folder.name)["Contents"]:
            (files / each["Key"]).parent.mkdir(parents=True, exist_ok=True)
            s3.download_file("lake", each["Key"], str(files / each["Key"]))
    assert list(files.rglob("*.parquet")) != []
    left: list[Any] = [*traces(club.state, OF_ADA), *traces(files, OF_ADA)]
    for url in (catalog_of(club.leat.variables["LEAT_WAREHOUSE"]), club.leat.variables["LEAT_CONTROL"]):
        for table, text in rows_of(url):
            left += [(table, value) for value in OF_ADA if value.lower() in text.lower()]
    return left


def blocks_of(url: str) -> list[tuple[str, str]]:
    """Return the tables of a catalog whose files have a value of Ada's, also in rows that nobody sees any more."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CHECKPOINT")
            cursor.execute(
                "SELECT relname, current_setting('data_directory') || '/' || pg_relation_filepath(oid) FROM pg_class "
                "WHERE relkind = 'r' AND relname LIKE 'ducklake%'"
            )
            files = [(table, Path(path).read_bytes()) for table, path in cursor.fetchall()]
    finally:
        connection.close()
    return [(table, value) for table, content in files for value in OF_ADA if value.encode() in content]


def rows_of(url: str) -> Iterator[tuple[str, str]]:
    """Yield each table of a database with all of its rows as text."""
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
            for (table,) in cursor.fetchall():
                cursor.execute(f"SELECT t::text FROM {table} AS t")
                yield table, "\n".join(text for (text,) in cursor.fetchall())
    finally:
        connection.close()


def test_somebody_is_erased_from_files_and_catalog_and_does_not_come_back(club: Club, tmp_path: Path) -> None:
    assert left_of_ada(club, tmp_path) != []
    assert blocks_of(catalog_of(club.leat.variables["LEAT_WAREHOUSE"])) != []
    sums, totals = club.read(SUMS), club.read("SELECT count(*), sum(amount) FROM analytics.totals")
    said = club.leat.json("subject", "erase", ADA, "--yes")
    assert said["erased"], said
    assert [each for each in said["report"]["left"] if each["why"] is None] == []
    assert left_of_ada(club, tmp_path) == []
    assert blocks_of(catalog_of(club.leat.variables["LEAT_WAREHOUSE"])) == []
    assert club.read(SUMS) == sums, "counts and money stay"
    assert club.read("SELECT count(*), sum(amount) FROM analytics.totals") == totals
    assert club.read("SELECT count(*) FROM club.visits") == [["1"]], "rows that are about her alone are gone"
    club.then(*everything(points=5))  # the system still has her, and changes her
    club.run()
    assert club.read("SELECT points FROM club.members WHERE id = 'm1'") == [["5"]]
    assert left_of_ada(club, tmp_path) == []
    assert club.leat.json("subject", "find", ADA)["tables"] == []


def _erase_in(folder: Path, variables: dict[str, str], point: Point) -> None:
    os.environ.update(variables)
    add_sources(folder / "sources")
    observe = _arm(point).get("observe")
    workspace = open_workspace(folder)
    plan = plan_erasure(workspace, parse_identity(ADA))
    erase(workspace, plan, lambda what: None if observe is None else observe("", what))
    os._exit(0)


@pytest.mark.parametrize("club", ["folder"], indirect=True)
def test_killed_after_the_rows_are_erased_the_next_attempt_erases_their_files(club: Club, tmp_path: Path) -> None:
    point = Point("observe", "building models, publishing")
    process = CONTEXT.Process(target=_erase_in, args=(club.leat.folder, dict(club.leat.variables), point))
    process.start()
    process.join(100)
    assert process.exitcode == -9
    assert left_of_ada(club, tmp_path) != [], "files of earlier versions"
    said = club.leat.json("subject", "erase", ADA, "--yes")
    assert said["erased"], said
    assert left_of_ada(club, tmp_path) == []
