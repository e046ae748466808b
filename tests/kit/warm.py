"""Import what runs need and land once, so that processes forked from here start at once; opens no warehouse."""

import contextlib
import gc
import importlib
import io
import pkgutil
import tempfile
import threading
from pathlib import Path

import boto3  # noqa: F401 - these are imported to be there
import duckdb  # noqa: F401
import duckdb_engine  # noqa: F401
import icalendar  # noqa: F401
import imapclient  # noqa: F401
import psycopg2  # noqa: F401
import requests  # noqa: F401
import rich.progress
import rich.table  # noqa: F401
import sqlalchemy.orm
import typer.rich_utils  # noqa: F401

import leat
import tests.kit.child  # noqa: F401
from leat.control.engine import open_control
from leat.pipelines.load.conversion import Conversion
from leat.pipelines.load.landing import Landed, land
from leat.quality.expectations import import_expectations
from leat.sources.events import Cursor

_NOT_NEEDED = ("leat.control.migrations", "leat.dagster_project", "leat.demo")

import_expectations()  # before the modules that import it as it is, which takes twice as long
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # the command asks for a tty
    for _module in pkgutil.walk_packages(leat.__path__, "leat."):
        if not _module.name.startswith(_NOT_NEEDED):
            importlib.import_module(_module.name)
with tempfile.TemporaryDirectory() as _folder:
    _landed = Landed("20000101T000000000000", Path(_folder) / "landing" / "load")
    _landed.write_plan({})
    land(_landed, "tally", iter([Cursor({})]), Conversion({}, b""), lambda _phase: None)
    open_control(f"sqlite:///{_folder}/control.db").dispose()
sqlalchemy.orm.configure_mappers()
assert threading.active_count() == 1, "a thread would not survive the fork"
gc.collect()
gc.freeze()  # a collection in a child would copy the pages of everything
