"""What the tests share: a real Postgres, one server for each worker and one database for each test.

``make test`` runs them by several workers (pytest-xdist). Tests that share something costly, a fixture of a module or
of the session, go to one worker, so that it is made once; all others go wherever there is room.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as properties

from leat.demo.servers.process import Process
from leat.quality.expectations import later_grammars
from leat.sources import settings
from tests.kit import examples  # noqa: F401 - registers the profile
from tests.kit.databases import NewDatabase
from tests.kit.engines import EMBEDDED, ENGINES, shared_lake
from tests.servers.postgres import start_postgres, stop_postgres

if TYPE_CHECKING:
    from tests.kit.project import Tally


_ONE_EACH = frozenset({"postgres_server", "new_database", "tmp_path_factory", "courses", "first_generation"})
"""Fixtures of the session that every worker may have of its own."""


_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a folder of its own there
"""The file system in memory of Linux, where making a folder and syncing a file take no time."""


def pytest_configure() -> None:
    """Let tests write into memory where it has room, unless ``TMPDIR`` says where; the workers inherit that.

    While a worker collects tests, Python rarely looks for garbage, as there is little, and jsonschema makes no parsers.
    """
    properties.load_profile("leat")
    gc.set_threshold(200_000, 20, 20)
    sys.modules.setdefault("rfc3987_syntax", later_grammars())
    if "TMPDIR" in os.environ or not _IN_MEMORY.is_dir():
        return
    runs_programs = not os.statvfs(_IN_MEMORY).f_flag & os.ST_NOEXEC  # tests write some and start them
    if runs_programs and shutil.disk_usage(_IN_MEMORY).free > 4 << 30:
        os.environ["TMPDIR"] = str(_IN_MEMORY)
        tempfile.tempdir = None


def pytest_xdist_auto_num_workers() -> int:
    """Use two workers more than there are cores: a third of the time tests wait for servers and processes."""
    return len(os.sched_getaffinity(0)) + 2


def pytest_collection_finish() -> None:
    """Spare garbage collections what is imported by now, which lasts to the end: they took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_runtest_setup() -> None:
    """Let processes that tests start end by SIGTERM.

    Dagster treats SIGTERM as SIGINT, which pytest's workers ignore. Whatever a worker starts would ignore both, and be
    killed only after ten seconds.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


_SLOW = (
    "company/",
    "ray/",
    "repository/test_wheel",
    "repository/test_docs_followed",
    "dagster/",
    "contract/test_failures",
    "contract/test_killed",
    "contract/test_loading",
    "contract/test_odd_values",
    "contract/test_secrets",
    "engine/test_kill",
    "engine/test_apply",
    "cli/test_cli.py",
    "cli/test_site",
    "alerts/",
    "actions/test_automations",
    "actions/test_chains",
    "actions/test_once",
    "engine/test_broken_rows",
    "engine/test_concurrency",
    "engine/test_drift",
    "engine/test_ducklake",
    "engine/test_error_text",
    "engine/test_faults",
    "engine/test_landing",
    "engine/test_fences",
    "engine/test_move",
    "engine/test_publication",
    "engine/test_quarantine",
    "engine/test_retention",
    "engine/test_run_parts",
    "engine/test_shared_lake",
    "engine/test_stream_failures",
    "engine/test_table_schema",
    "models/test_grain_",
    "models/test_models.py",
    "models/test_models_of_",
    "models/test_quality",
    "security/test_rotation_killed",
    "security/test_clearance_files",
    "security/test_encrypted_places",
    "security/test_grants",
    "security/test_keys_of_people",
    "security/test_left_on_disk",
    "security/test_limits",
    "security/test_subjects",
    "security/test_sign_in",
    "security/test_stored_secrets",
    "serve/test_api_schema",
    "serve/test_decryption",
    "serve/test_dagster",
    "serve/test_hooks",
    "serve/test_moved_ciphertexts",
    "serve/test_pages_course",
    "serve/test_processes",
    "serve/test_stripe",
    "serve/test_two_servers",
    "sources/test_calendar.py",
    "sources/test_calendar_faults",
    "sources/test_calendar_invitations",
    "sources/test_calendar_slots",
    "sources/test_cloud_storage_actions",
    "sources/test_cloud_storage_backups",
    "sources/test_crm_accounting",
    "sources/test_email_sending",
    "sources/test_payments_planted",
    "sources/test_rest_random",
    "sources/test_sidecar",
    "sources/test_sso_canaille",
    "unit/test_files",
)
"""Tests that start systems, kill processes or load often: they run first, in this order, and not in `make test-quick`.

Those that take longest are first, for the group that ends last would end alone on its worker.
"""

_ACTIONS = "_actions.py"
"""The end of the names of tests that act on a real system: they are slow as well."""


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a parameter that is a long text by its beginning and its length: some have megabytes.

    Workers send the name of each test to the one that starts them, several times.
    """
    return f"{val[:40]!r}-{len(val)}" if isinstance(val, str | bytes) and len(val) > 200 else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow tests first, and name for each test the group whose tests have to be run by one worker."""
    items.sort(key=_turn)
    for item in items:
        if _turn(item) <= len(_SLOW):
            item.add_marker("slow")
    for item in items:
        group = _group_of(item)
        if group is not None and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(group))
        if {"courses", "demo"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(900))  # the first one goes through the whole course, or starts the demo


def _turn(item: pytest.Item) -> int:
    """Return the place of a test in the order of slow ones; those of actions are behind them, and then all others."""
    path = item.nodeid.removeprefix("tests/").partition("::")[0]
    places = (place for place, start in enumerate(_SLOW) if path.startswith(start))
    return next(places, len(_SLOW) + (not path.endswith(_ACTIONS)))


def _group_of(item: pytest.Item) -> str | None:
    """Return the driver whose course a test looks at, or the widest fixture that it shares with others."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if "driver" in parameters:
        return "/".join(parameters["driver"])
    definitions = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    shared = {name: fixtures[-1].scope for name, fixtures in definitions.items() if name not in _ONE_EACH}
    of_session = {n for n, scope in shared.items() if scope == "session" and definitions[n][-1].baseid != ""}
    for name in sorted(of_session):
        if not of_session & set(definitions[name][-1].argnames):  # the one that others are made of
            return name
    module = item.nodeid.partition("::")[0]
    if "package" in shared.values():
        return module.rpartition("/")[0]
    return module if "module" in shared.values() else None


@pytest.fixture(autouse=True)
def forgotten_secrets() -> Iterator[None]:
    """Forget the secrets that a test read, so that a word in one test isn't blanked out of the messages of others."""
    before = set(settings._secrets_read)
    yield
    settings._secrets_read.intersection_update(before)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Process]:
    """Start a Postgres server without fsync, in a folder that its user can get to."""
    with tempfile.TemporaryDirectory(prefix="leat-tests-") as folder:
        Path(folder).chmod(0o755)
        process = start_postgres(Path(folder), fsync=False)
        try:
            yield process
        finally:
            stop_postgres(process)


@pytest.fixture
def postgres_url(new_database: NewDatabase) -> Iterator[str]:
    """Give the URL of an empty database that lasts for one test."""
    url = new_database()
    yield url
    new_database.drop(url)


@pytest.fixture(scope="session")
def new_database(postgres_server: Process) -> NewDatabase:
    """Give what makes databases."""
    return NewDatabase(postgres_server)


@pytest.fixture(params=ENGINES)
def warehouse_url(request: pytest.FixtureRequest) -> str | None:
    """Run a test on each engine: None is the embedded DuckDB warehouse."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    if request.param == "shared":
        return shared_lake(request.getfixturevalue("postgres_url"), request.getfixturevalue("tmp_path") / "files")
    return EMBEDDED[request.param]


@pytest.fixture
def tally(tmp_path: Path, warehouse_url: str | None) -> Tally:
    """Give a declared project whose one integration does what a script says, on both engines."""
    from tests.kit.project import Tally

    project = Tally(tmp_path, warehouse_url)
    project.declare()
    return project
