"""What was broken in the end: nothing may be."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from typing import Any

import psycopg2

from bench.fleet.bucket import NAME as BUCKET
from bench.fleet.faults import Faults
from bench.fleet.load import Load
from bench.fleet.systems import Systems
from leat.control.outbox import read_actions
from tests.kit.acting import Desk
from tests.kit.command import Leat

_GOAL_GAP = 2.0
_SETTLES = 240.0
_CAUSES = 5.0  # seconds within which a fault may be why the API doesn't answer
_OPEN = frozenset({"approved", "sending", "unknown", "done"})


def settle(load: Load, systems: Systems) -> list[str]:
    """Wait until all lists are as their system has them; returns those that aren't, and why."""
    if load.submitted is not None and not load.submitted.load_all():
        return [f"the Ray cluster doesn't load {', '.join(load.submitted.alone)}: {dict(load.submitted.outcomes)}"]
    deadline = time.monotonic() + _SETTLES
    while differing := _differing(load, systems):
        if time.monotonic() > deadline:
            return differing
        time.sleep(2)
    while read_actions(load.office.store, states=_OPEN, limit=1) and time.monotonic() < deadline:
        time.sleep(1)
    while _open_requests(load) and time.monotonic() < deadline:
        time.sleep(1)
    while not load.acknowledged <= set(_events(load)) and time.monotonic() < deadline:
        time.sleep(1)
    return []


def _differing(load: Load, systems: Systems) -> list[str]:
    differing = []
    for number in range(load.lists):
        sql = f"SELECT id, amount, label FROM list_{number:03d}.items WHERE _deleted_at IS NULL"
        rows = _ask(load.database, sql)
        if len(rows) != len(set(rows)) or set(rows) != systems.rows(number):
            differing.append(f"list {number}: {sorted(set(rows) ^ systems.rows(number))[:4]}")
    if load.bucket is not None:
        sql = f"SELECT key, size FROM {BUCKET}.objects WHERE _deleted_at IS NULL"
        objects, there = _ask(load.database, sql), load.bucket.objects()
        if there is None or len(objects) != len(set(objects)) or set(objects) != there:
            differing.append(f"the bucket: {sorted(set(objects) ^ (there or set()))[:4]}")
    return differing


def judge(load: Load, desk: Desk, leat: Leat, faults: Faults) -> list[str]:
    """Return what was broken, and print what was measured."""
    broken = [f"a reader saw half of a load: {each}" for each in load.torn[:5]]
    broken += [f"run {run} counted as running long after its lease" for run, times in load.stuck.items() if times > 2]
    broken += load.changed[:5]
    broken += [*_judge_loads(load), *_judge_requests(load), *_judge_webhooks(load), *_judge_actions(load, desk)]
    broken += _judge_answers(load, faults)
    verified = leat("audit", "verify")
    print(f"audit log: {verified.stdout.strip().splitlines()[-1] if verified.stdout else verified.stderr}")
    if verified.returncode:
        broken.append(f"the audit log: {verified.stdout}{verified.stderr}")
    return broken


def _judge_loads(load: Load) -> list[str]:
    broken = []
    [(loads, distinct)] = _ask(load.database, "SELECT count(*), count(DISTINCT load_id) FROM leat.loads")
    if loads != distinct:
        broken.append(f"{loads - distinct} loads were applied twice")
    sql = """SELECT integration, count(*), max(fence) FROM leat.loads JOIN leat_locks.leases ON name = integration
    GROUP BY integration HAVING count(*) > max(fence)"""
    broken += [f"{name}: {count} loads under {fence} fences" for name, count, fence in _ask(load.database, sql)]
    sql = """SELECT status, error_type, count(*) FROM run GROUP BY 1, 2 ORDER BY 3 DESC"""
    outcomes = {f"{status} {kind or ''}".strip(): count for status, kind, count in _ask(load.database, sql)}
    sql = """SELECT count(*), count(DISTINCT load_id) FROM run WHERE status = 'loaded'"""
    [(loaded, of_loads)] = _ask(load.database, sql)
    if loaded != of_loads:
        broken.append(f"{loaded} runs say that they loaded, and there are {of_loads} loads of theirs")
    sql = """SELECT count(*) FROM run WHERE status = 'loaded' AND load_id NOT IN (SELECT load_id FROM leat.loads)"""
    [(without,)] = _ask(load.database, sql)
    if without:
        broken.append(f"{without} runs say that they loaded, and their loads aren't there")
    print(f"loads: {loads:,}; readers looked {load.reads:,} times; runs: {outcomes}")
    return broken


def _judge_requests(load: Load) -> list[str]:
    states = {str(run): str(state) for run, state in _ask(load.database, "SELECT id, state FROM requested_run")}
    [(again,)] = _ask(load.database, "SELECT count(*) FROM requested_run WHERE claims > 1")
    if load.submitted is not None:
        print(f"runs on Ray: {dict(load.submitted.outcomes)}")
    if load.bucket is not None:
        print(f"bucket: {load.bucket.changes:,} changes, {len(load.bucket.objects() or ())} objects in the end")
    print(f"requested runs: {len(load.requested):,}, {dict(Counter(states.values()))}; {again} begun again")
    lost = load.requested - set(states)
    return [f"{len(lost)} requested runs are lost"] * bool(lost) + [
        f"{each} never ended" for each in _open_requests(load)
    ]


def _open_requests(load: Load) -> list[str]:
    sql = "SELECT id FROM requested_run WHERE state IN ('queued', 'running')"
    return [str(run) for (run,) in _ask(load.database, sql)]


def _judge_webhooks(load: Load) -> list[str]:
    stored = _events(load)
    lost = load.acknowledged - set(stored)
    doubled = [each for each, times in stored.items() if times > 1]
    print(f"webhooks: {load.hooked.right:,} acknowledged, {len(lost)} lost, {len(doubled)} doubled")
    return [f"webhooks: {len(lost)} lost, {len(doubled)} doubled"] if lost or doubled else []


def _judge_actions(load: Load, desk: Desk) -> list[str]:
    broken = []
    states: Counter[str] = Counter()
    actions = read_actions(load.office.store, limit=100_000)
    for each in actions:
        effects = desk.values.get(each.target, (0, 0))[1] if each.guarantee == "natural" else desk.deeds[each.id]
        states[each.state] += 1
        waits = each.state in ("planned", "expired")  # the fault came before it was approved
        if effects != (0 if waits else 1) and not (each.guarantee == "unprobeable" and effects == 0):
            broken.append(f"{each.guarantee} action {each.id}, {each.state}: {effects} effects")
    print(f"actions: {len(actions):,}, {dict(states)}")
    return broken


def _judge_answers(load: Load, faults: Faults) -> list[str]:
    asked, hooked = load.asked, load.hooked
    print(f"API: {asked.right:,} answers, longest gap {asked.gap:.2f} s (goal {_GOAL_GAP:g})")
    for what, each in (("reads", asked), ("webhooks, which aren't sent twice,", hooked)):
        print(
            f"{what} answered right: {each.share:.3%} of {each.right + each.wrong.total():,}; else {dict(each.wrong)}"
        )
    for began, ended in asked.gaps:
        before = [f"{kind} {began - at:.1f} s before" for at, kind in faults.when if began - _CAUSES < at < ended]
        print(f"nobody got an answer for {ended - began:.2f} s: {', '.join(before) or 'after no fault'}")
    return [f"the API didn't answer for {asked.gap:.1f} s"] if asked.gap > _GOAL_GAP else []


def _events(load: Load) -> Counter[str]:
    return Counter(str(each) for (each,) in _ask(load.database, "SELECT event_id FROM hooks.events"))


def _ask(url: str, sql: str) -> list[tuple[Any, ...]]:
    for _ in range(60):
        try:
            with contextlib.closing(psycopg2.connect(url, connect_timeout=5)) as connection:
                cursor = connection.cursor()
                cursor.execute(sql)
                return cursor.fetchall()
        except psycopg2.errors.UndefinedTable:
            return []
        except psycopg2.OperationalError:
            time.sleep(1)
    raise TimeoutError(sql)
