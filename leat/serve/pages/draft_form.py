"""From what was typed to a declaration as data: its settings first, then its streams; mistakes by field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from leat.runs.connecting.reach import Reach
from leat.serve.pages.connection_form import ConnectionForm, connection_from
from leat.sources.driver import load_driver, load_streams

SCHEDULES = (
    ("*/15 * * * *", "every 15 minutes"),
    ("0 * * * *", "every hour"),
    ("0 3 * * *", "every night at 3"),
    ("", "only when somebody starts it"),
)
_ELSEWHERE = "https://the.address.that.is.named.elsewhere/"
_PLACE = re.compile(r"^\S+:\d+: (?:connection\.)?(?:([\w.\[\]]+): )?(.*)$", re.DOTALL)


class Mistakes:
    """What is wrong with a form: texts by field; those of no field under an empty name."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._texts)

    def add(self, field: str, text: str) -> None:
        """Add one."""
        self._texts.setdefault(field, []).append(text)

    def add_diagnostics(self, diagnostics: Sequence[str]) -> None:
        """Add the diagnostics of a declaration."""
        for line in diagnostics:
            place = _PLACE.match(line)
            self.add(re.sub(r"\[\d+\]", "", place[1] or "") if place else "", place[2] if place else line)

    @property
    def fields(self) -> Sequence[str]:
        """The fields that something is wrong with."""
        return list(self._texts)

    def of(self, field: str) -> str:
        """Return what is wrong with a field, or nothing."""
        return "; ".join(self._texts.get(field, ()))

    def apart_from(self, fields: Sequence[str]) -> list[str]:
        """Return what is wrong with what has no field of its own."""
        return [
            f"{name}: {text}" if name else text
            for name, texts in self._texts.items()
            if name not in fields
            for text in texts
        ]


def lists_streams(source: str) -> bool:
    """Return whether the user declares the streams of a source, as lists of an API."""
    return not load_streams(source)


def document_of(
    source: str, driver: str, fields: ConnectionForm, form: Mapping[str, str], reach: Reach
) -> tuple[dict[str, Any], Mistakes]:
    """Return the declaration that a form describes, and its mistakes."""
    from leat.sources.rest_api.preview.addresses import endpoints_of

    mistakes = Mistakes()
    connection = connection_from(fields.fields, form)
    if lists_streams(source) and "endpoints" in fields.others:
        lists, written = form.get("lists", ""), form.get("url:from", "value") == "value"
        try:
            url, endpoints = endpoints_of(form.get("url", "") if written else _ELSEWHERE, lists.splitlines())
        except ValueError as error:
            mistakes.add("lists" if lists or not written else "url", str(error))
        else:
            connection |= {"endpoints": endpoints, **({"url": url} if written else {})}
    connection |= reach.fixed(load_driver(source, driver).Connection.model_fields)
    document: dict[str, Any] = {"source": source, "driver": driver}
    if form.get("description"):
        document["description"] = form["description"]
    return {**document, "schedule": SCHEDULES[1][0], "connection": connection}, mistakes


def with_streams(
    document: Mapping[str, Any], names: Sequence[str], form: Mapping[str, str], zone: str
) -> dict[str, Any]:
    """Return a declaration with what was chosen of its streams.

    Args:
        document: the declaration.
        names: of its streams.
        form: what was chosen: ``load:STREAM``, ``hash:STREAM``, ``key:STREAM``, ``schedule``.
        zone: of the schedule, if it names an hour.
    """
    changed = {key: value for key, value in document.items() if key not in ("schedule", "zone", "streams")}
    connection = dict(changed.pop("connection"))
    schedule = form.get("schedule", "")
    if schedule in dict(SCHEDULES) and schedule:
        changed["schedule"] = schedule
        if schedule == SCHEDULES[2][0] and zone != "UTC":
            changed["zone"] = zone
    if "endpoints" in connection:
        connection["endpoints"] = {
            name: _with_key(endpoint, form.get(f"key:{name}", "")) for name, endpoint in connection["endpoints"].items()
        }
    streams: dict[str, Any] = {}
    for name in names:
        options: dict[str, Any] = {} if form.get(f"load:{name}") else {"selected": False}
        hashed = form.get(f"hash:{name}", "")
        if hashed and not options:
            options["mask"] = True if hashed == "personal" else _names(hashed)
        if options:
            streams[name] = options
    return {**changed, "connection": connection, **({"streams": streams} if streams else {})}


def _with_key(endpoint: Mapping[str, Any], key: str) -> dict[str, Any]:
    names = _names(key)
    if not names:
        return dict(endpoint)
    whole = {name: value for name, value in endpoint.items() if name not in ("key", "columns")}
    columns = {"columns": endpoint["columns"]} if "columns" in endpoint else {}
    return {**whole, "key": names[0] if len(names) == 1 else names, **columns}


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[\s,]+", text) if name]
