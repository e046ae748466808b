"""Import what runs need and land once, so that processes forked from here start at once; opens no warehouse."""

import tempfile
import threading
from pathlib import Path

import boto3  # noqa: F401 - these are imported to be there
import duckdb  # noqa: F401
import duckdb_engine  # noqa: F401
import great_expectations  # noqa: F401, TID253
import icalendar  # noqa: F401
import imapclient  # noqa: F401
import psycopg2  # noqa: F401
import requests  # noqa: F401
import sqlalchemy  # noqa: F401

import leat.pipelines.load.run  # noqa: F401
import tests.kit.child  # noqa: F401
from leat.pipelines.load.landing import Landed, land
from leat.pipelines.load.shaping import Shaping
from leat.sources.events import Cursor

with tempfile.TemporaryDirectory() as _folder:
    _landed = Landed("20000101T000000000000", Path(_folder) / "landing" / "load")
    _landed.write_plan({})
    land(_landed, "tally", iter([Cursor({})]), Shaping({}, b""), lambda _phase: None)
assert threading.active_count() == 1, "a thread would not survive the fork"
