"""How ``leat subject`` shows where a person is, and what an erasure did: as text, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from leat.cli.output import counted, minute, say
from leat.cli.tables import print_table

if TYPE_CHECKING:
    from leat.runs.subjects.erasing import Plan, Report
    from leat.runs.subjects.identities import Person
    from leat.runs.subjects.looking import Seen


def shown_identities(person: Person) -> list[str]:
    """Return a person's identities as people write them."""
    from leat.sources.identity import shown

    return list(map(shown, person.identities))


def seen_json(seen: Seen) -> dict[str, Any]:
    """Return where a person is, as JSON has it."""
    from leat.sources.identity import shown

    return {
        "identities": [{"identity": shown(each), "from": where} for each, where in seen.person.identities.items()],
        "other_names": sorted(seen.person.other_names),
        "tables": list(map(asdict, seen.tables)),
        "control_store": list(map(asdict, seen.stored)),
        "files": seen.files,
        "erasures": [
            {"erasure": each.id, "state": each.state, "by": each.approved_by, "at": each.created_at}
            for each in seen.erasures
        ],
        "holds": [{"reason": each.reason, "by": each.placed_by, "since": each.placed_at} for each in seen.holds],
    }


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return what an erasure would do, as JSON has it."""
    return {**seen_json(plan.seen), "in_flight": plan.in_flight, "continues": plan.running is not None}


def report_json(report: Report) -> dict[str, Any]:
    """Return what an erasure did, as JSON has it."""
    return asdict(report) | {"done": report.done}


def print_seen(seen: Seen) -> None:
    """Print where a person is."""
    from leat.sources.identity import shown

    print_table(("identity", "from"), [(shown(each), where) for each, where in seen.person.identities.items()])
    if seen.person.other_names:
        say(f"not looked for, because they don't resemble an address: {', '.join(sorted(seen.person.other_names))}; "
            "add one by --also 'name:…'", style="dim")  # fmt: skip
    rows: list[tuple[Any, ...]] = [(each.table, each.column, each.rows) for each in seen.tables]
    rows += [(f"control store: {each.table}", each.column, each.rows) for each in seen.stored]
    rows += [(f"file: {each}", None, None) for each in seen.files]
    for erasure in seen.erasures:
        what = {"done": "erased", "running": "being erased", "lifted": "erased, and lifted since"}[erasure.state]
        say(f"{what}: {minute(erasure.created_at)} UTC by {erasure.approved_by}, {erasure.id}")
    for hold in seen.holds:
        say(("on hold", "red"), f" since {minute(hold.placed_at)} by {hold.placed_by}: {hold.reason}")
    if rows:
        print_table(("where", "column", "rows"), rows, below=True)
    else:
        say("nothing names this person")


def print_plan(plan: Plan) -> None:
    """Print what an erasure would do."""
    print_seen(plan.seen)
    for action in plan.in_flight:
        say(("action", "red"), f" {action} names the person and may have been sent")
    if plan.running is not None:
        say(f"continues the erasure that {plan.running.approved_by} began at {minute(plan.running.created_at)}")


def _by_reason(report: Report) -> dict[str | None, list[str]]:
    places: dict[str | None, list[str]] = {}
    for left in report.left:
        places.setdefault(left.why, []).append(left.where)
    return places


def print_report(report: Report) -> None:
    """Print what an erasure did, and what is left."""
    for table in report.tables:
        say(f"{table.table}: {counted(table.deleted, 'row')} deleted, {table.changed:,} changed")
    for stored in report.stored:
        say(f"control store, {stored.table} {stored.column}: {counted(stored.rows, 'row')}")
    if report.keys:
        say(f"{counted(report.keys, 'key')} of the person destroyed")
    for file in report.files:
        say(f"{file.path}: {file.done}")
    if report.withheld is not None:
        say(("not published", "red"), f": {report.withheld}")
    for why, places in _by_reason(report).items():
        say(("left", "yellow" if why else "red"), f" in {', '.join(places)}" + (f": {why}" if why else ""))
    if report.done:
        say(("✓", "green"), f" erased: nothing names this person any more where leat can erase ({report.erasure})")
        say("`leat subject places` lists what leat can't reach: the systems themselves, backups, logs of Postgres",
            style="dim")  # fmt: skip
    else:
        say(("✗", "red"), " not finished: run the same command again")
