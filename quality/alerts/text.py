"""The text of a message: what is new and what is resolved, by rule, with the first rows and the next step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from leat.control.alerts import What
from leat.pipelines.load.cells import placeholder
from leat.quality.alerts.plan import News
from leat.quality.alerts.problem import EVIDENCE_ROWS
from leat.sources.settings import redact

Evidence = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by the key of the problem."""

_MAX_GROUPS = 50
_MAX_VALUE = 120  # characters of one value; a message is no place for a document
_SECTIONS: Mapping[What, str] = {
    "escalated": "Not acknowledged",
    "opened": "New",
    "flapping": "Flapping",
    "reminded": "Still open",
    "recovered": "Resolved",
}
_IN_TITLE: Mapping[What, str] = {
    "escalated": "escalated",
    "opened": "new",
    "flapping": "flapping",
    "reminded": "unresolved",
    "recovered": "resolved",
}
_FLAPS = "It comes back again and again. No more alerts until it hasn't changed for a day."


@dataclass(frozen=True, slots=True)
class Text:
    """A message as it is sent; ``severity`` is the worst of what is open, None when everything in it is resolved."""

    title: str
    body: str
    severity: str | None


def compose(news: Sequence[News], evidence: Evidence, now_open: Mapping[str, int]) -> Text:
    """Return the text of one message, without secrets and without what is encrypted.

    Args:
        news: its content.
        evidence: rows of those problems that are shown with some.
        now_open: how many problems of each subject there are now.
    """
    counts = {what: sum(item.what == what for item in news) for what in _SECTIONS}
    said = " and ".join(f"{count} {_IN_TITLE[what]}" for what, count in counts.items() if count)
    noun = "violation" if all(item.tracked.kind == "violation" for item in news) else "problem"
    worst = min((item.tracked.severity for item in news if item.what != "recovered"), default=None)
    subjects = list(dict.fromkeys(item.tracked.subject for item in news))
    about = subjects[0] if len(subjects) == 1 else f"{subjects[0]} and {len(subjects) - 1} more"
    lines: list[str] = []
    for what in _SECTIONS:
        lines += _section(what, [item for item in news if item.what == what], evidence, now_open)
    return Text(
        redact(f"leat: {said} {noun}{'s' if len(news) > 1 else ''} ({about})"),
        placeholder(redact("\n".join(lines).strip())) + "\n",
        worst,
    )


def _section(what: What, news: Sequence[News], evidence: Evidence, now_open: Mapping[str, int]) -> Iterator[str]:
    if not news:
        return
    yield f"{_SECTIONS[what].upper()}\n"
    groups = [list(group) for _, group in groupby(news, lambda item: (item.tracked.severity, item.tracked.subject))]
    for group in groups[:_MAX_GROUPS]:
        yield from _group(what, group, evidence, now_open)
    if len(groups) > _MAX_GROUPS:
        yield f"… and {len(groups) - _MAX_GROUPS} more: leat alerts\n"


def _group(what: What, group: Sequence[News], evidence: Evidence, now_open: Mapping[str, int]) -> Iterator[str]:
    first = group[0].tracked
    remaining = now_open.get(first.subject, 0)
    count = f"{len(group)} of {remaining} open" if what != "recovered" else f"{len(group)}, {remaining} still open"
    yield f"[{first.severity}] {_title(group)} ({count})"
    problem = group[0].problem
    facts = [first.subject, *([f"owner {problem.owner}"] if problem and problem.owner else [])]
    facts += [", ".join(problem.integrations)] if problem and problem.integrations else []
    yield f"  {' | '.join(facts)} | since {min(_since(item) for item in group):%Y-%m-%d %H:%M} UTC"
    rows = [row for item in group for row in evidence.get(item.tracked.key, ())]
    for row in rows[:EVIDENCE_ROWS]:
        yield f"  - {_row(row)}"
    if rows and len(group) > EVIDENCE_ROWS:
        yield f"  - … and {len(group) - EVIDENCE_ROWS} more"
    if problem is not None:
        yield f"  {_FLAPS}" if what == "flapping" else f"  Next: {problem.next_step}"
        yield f"  See: {problem.command}"
    yield ""


def _title(group: Sequence[News]) -> str:
    titles = list(dict.fromkeys(item.tracked.title for item in group))
    return titles[0] if len(titles) == 1 else f"{titles[0]}, and {len(titles) - 1} more"


def _since(item: News) -> Any:
    return item.tracked.seen_at if item.problem is None or item.problem.since is None else item.problem.since


def _row(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in row.items() if value is not None)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"
