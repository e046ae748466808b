"""The state of an integration is read once before its extraction, and once in the transaction that applies the load."""

from __future__ import annotations

import re
import sys
from collections import Counter
from multiprocessing.connection import Connection

from leat.pipelines.load.engine import Request
from leat.pipelines.load.run import run_integration
from tests.kit.child import CONTEXT
from tests.kit.project import Tally, row, rows

STATE = ("cursors", "streams", "loads", "retention")


def state_reads(tally: Tally) -> Counter[str]:
    """Run in a process of its own, for a hook of audits stays; returns how often each table of the state is read."""
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_run, args=(tally, there), daemon=True)
    process.start()
    there.close()
    with here:
        status, statements = here.recv()
    process.join()
    assert status in ("loaded", "nothing_new")
    read = [name for sql in statements for name in re.findall(r"^SELECT.* FROM leat\.(\w+)", sql, re.DOTALL)]
    return Counter(name for name in read if name in STATE)


def _run(tally: Tally, answer: Connection) -> None:
    statements: list[str] = []
    sys.addaudithook(lambda event, args: statements.append(str(args[0])) if event == "leat.statement" else None)
    tally.prepare()
    result = run_integration(tally.engine(), "tally", Request())
    answer.send((result.status, statements))


def test_state_is_read_once_when_nothing_is_new_and_once_more_by_a_load(tally: Tally) -> None:
    tally.declare("{fed: {history: true}, scanned: {retain: {deleted: P30D}}}")
    tally.then(rows("fed", row(1)), rows("scanned", row(1)))
    state_reads(tally)
    assert state_reads(tally) == dict.fromkeys(STATE, 1)
    tally.then(rows("fed", row(1, "changed")))
    assert state_reads(tally) == dict.fromkeys(STATE, 2)
