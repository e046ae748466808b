"""A password is nowhere in what a run writes or says; a personal value is nowhere once it is masked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.contract.course import DUCKDB, MASKED, Course, declare, raw_values
from tests.contract.evidence import places_of, written
from tests.contract.world import MAIL, PERSON
from tests.kit.command import ROOT, Leat

_ADDRESS = re.compile(r"(^|_)(email|phone)(_|$)|^(address|owner|created_by|principal)$")
_NO_SOCKETS = """
import sys
def refuse(event, args):
    if event in ("socket.connect", "subprocess.Popen"):
        raise RuntimeError(f"{event} while definitions are loaded")
sys.addaudithook(refuse)
from pathlib import Path
from leat.pipelines.declare.project import load_declarations, open_project
declarations = load_declarations(open_project(Path(sys.argv[1])))
print(*declarations)
heavy = {"dlt", "great_expectations", "pandas", "duckdb", "dagster"} & set(sys.modules)
assert not heavy, heavy
"""


def test_secrets_are_nowhere(course: Course) -> None:
    assert [leak for place in course.places.values() for stage in place.stages.values() for leak in stage.leaks] == []


def test_secrets_and_values_would_be_detected(course: Course) -> None:
    """The search itself works: an unmasked project has the planted values in its warehouse and its landing."""
    place = course.places[DUCKDB]
    assert {leak.rpartition(": ")[2] for leak in raw_values(course, place, from_warehouse=True)} >= {PERSON, MAIL}


def test_masked_values_are_nowhere(course: Course) -> None:
    assert raw_values(course, course.places[MASKED], from_warehouse=True) == []


def test_the_command_line_shows_no_secret(course: Course, tmp_path: Path) -> None:
    """Run and check a driver by the command line, first with refused credentials, then with good ones."""
    declare(tmp_path, course.source, course.driver, course.world, masked=False)
    leat = Leat(tmp_path, course.world.environment)
    refused = [leat(command, **course.world.refused) for command in ("check", "run")]
    good = [leat("run"), leat("check", "--json")]
    assert [call.returncode for call in refused + good] == [1, 1, 0, 0], [call.stderr for call in refused + good]
    assert [call.stderr for call in refused + good] == [""] * 4
    said = [(f"call {i}", (call.stdout + call.stderr).encode()) for i, call in enumerate(refused + good)]
    assert places_of(course.secrets, said) == []
    assert places_of(course.secrets, written(tmp_path)) == []
    assert all("Next: " in call.stdout for call in refused)


def test_definitions_load_without_environment_and_network(course: Course, tmp_path: Path) -> None:
    declare(tmp_path, course.source, course.driver, course.world, masked=False)
    here = {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", _NO_SOCKETS, str(tmp_path)]
    done = subprocess.run(argv, env=here, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [course.source]
    assert [path.name for path in tmp_path.iterdir()] == ["pipelines"], "loading writes nothing"


def test_every_column_is_described_and_persons_are_tagged(course: Course) -> None:
    for stream in course.streams:
        assert stream.description.endswith(".")
        names = {column.name for column in stream.columns}
        for column in stream.all_columns():
            assert column.description.strip(), f"{stream.name}.{column.name}"
            named = column.name.replace("name", "email") in names and "name" in column.name
            if column.type == "string" and (_ADDRESS.search(column.name) or named):
                assert column.personal, f"{stream.name}.{column.name} says who somebody is"
