"""``leat slots``: times at which several people are free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from leat.cli.output import Json, counted, print_json, say
from leat.cli.tables import print_table
from leat.cli.usage import UsageMistake
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.runs.slots import Person, Search

_AHEAD = timedelta(days=14)


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("slots")(show)


def show(
    context: typer.Context,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[INTEGRATION.]NAME…", help="Who has to be free: people of connection.people, or calendars."
        ),
    ],
    minutes: Annotated[int, typer.Option("--minutes", min=1, max=10_080, help="How long it takes.")] = 60,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="A date or time from when on; now if not given.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="A last date, or a time; 14 days later if not given.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", help="Zone of the times; that of the first person if not given, or UTC.")
    ] = None,
    json: Json = False,
) -> None:
    """Find times when people are free and at work. leat asks their calendars now, and books nothing."""
    from pydantic import ValidationError

    from leat.runs.slots import Person, Search, find, zone_of
    from leat.sources.actions import Refused

    workspace: Workspace = context.obj()
    system, people = _system(workspace, names)
    zone = zone or zone_of(workspace, system, people[0])
    try:
        others = Person(zone=zone)
    except ValidationError:
        msg = f"--zone {zone}: write a time zone like Europe/Berlin"
        raise UsageMistake(msg) from None
    begins, ends = _period(start, end, ZoneInfo(zone))
    search = Search(people, begins, ends, timedelta(minutes=minutes), others)
    try:
        slots, searched = find(workspace, system, search)
    except (Refused, ValueError) as error:
        raise UsageMistake(str(error)) from error
    if json:
        print_json(command="slots", integration=system, **_as_json(search, slots, searched))
        return
    _print(system, slots, searched, zone)


def _system(workspace: Workspace, names: Sequence[str]) -> tuple[str, list[str]]:
    """Return the calendar system, and whom of it; the name of the only system may be left out."""
    from leat.runs.slots import calendar_integrations

    there = calendar_integrations(workspace)
    named = {name for name in there if any(each.startswith(f"{name}.") for each in names)}
    systems = sorted(named) or there
    if not there:
        msg = "no calendar can be asked: declare an integration with the source calendar"
        raise UsageMistake(msg)
    if len(systems) != 1:
        msg = f"write INTEGRATION.NAME, all of one calendar system; declared: {', '.join(there) or 'none'}"
        raise UsageMistake(msg)
    return systems[0], [each.removeprefix(f"{systems[0]}.") for each in names]


def _period(start: str | None, end: str | None, zone: ZoneInfo) -> tuple[datetime, datetime]:
    begins = datetime.now(UTC).replace(second=0, microsecond=0) if start is None else _time("--from", start, zone)
    ends = begins + _AHEAD if end is None else _time("--to", end, zone, is_end=True)
    if not timedelta() < ends - begins <= timedelta(days=366):
        msg = f"--to {end}: it has to be after --from, by at most 366 days"
        raise UsageMistake(msg)
    return begins, ends


def _time(option: str, text: str, zone: ZoneInfo, *, is_end: bool = False) -> datetime:
    try:
        if "T" not in text and " " not in text:
            day = date.fromisoformat(text) + timedelta(days=is_end)
            return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        msg = f"{option} {text[:40]!r}: write a date like 2026-12-01 or a time like 2026-12-01T10:00"
        raise UsageMistake(msg) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _print(system: str, slots: Sequence[tuple[datetime, datetime]], people: Mapping[str, Person], zone: str) -> None:
    if not slots:
        say("no slot: all are never free together; try other days, fewer people or a shorter time")
        return
    zones = list(dict.fromkeys([zone, *(each.zone for each in people.values())]))
    print_table(zones, [[_shown(start, end, ZoneInfo(name)) for name in zones] for start, end in slots])
    calendars = list(dict.fromkeys(name for each in people.values() for name in each.calendars))
    also = f" -p also_free={','.join(calendars[1:])}" if calendars[1:] else ""
    first = slots[0][0].astimezone(ZoneInfo(zone))
    length = int((slots[0][1] - slots[0][0]).total_seconds() // 60)
    say(f"{counted(len(slots), 'slot')}; to book the first:")
    when = f"-p starts={first:%Y-%m-%dT%H:%M} -p minutes={length} -p zone={zone}"
    say(f"leat act {system}.book_slot -p calendar={calendars[0]}{also} -p summary=… {when}", whole=True)


def _shown(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    begins, ends = start.astimezone(zone), end.astimezone(zone)
    return f"{begins:%a %Y-%m-%d %H:%M}-{ends:%H:%M}"


def _as_json(
    search: Search, slots: Sequence[tuple[datetime, datetime]], people: Mapping[str, Person]
) -> dict[str, Any]:
    return {
        "from": search.start,
        "to": search.end,
        "people": [{"name": name, **each.model_dump(mode="json")} for name, each in people.items()],
        "slots": [{"starts_at": begins, "ends_at": ends} for begins, ends in slots],
    }
