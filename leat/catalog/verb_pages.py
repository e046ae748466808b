"""The pages of docs/actions/verbs/: one for each verb, with what its code says and a plan that leat printed.

A page has the parameters with what they take, the guarantee, the permission and the way back. The plan is
``docs/actions/verbs/plans/<source>.<verb>.txt``, where there is one: a command, and what it printed on the demo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from leat.catalog.schema_words import fields, listed, table
from leat.sources.actions import GUARANTEES, Verb, actions_module, verbs_of
from leat.sources.driver import driver_names


def verb_pages(folder: Path, sources: Sequence[str]) -> dict[Path, str]:
    """Return the text of the page of each verb.

    Args:
        folder: where the pages are.
        sources: kinds of systems.
    """
    return {
        folder / f"{source}.{verb.name}.md": "\n".join(_page(folder, source, verb)) + "\n"
        for source in sources
        for verb in verbs_of(source)
    }


def verb_index(sources: Sequence[str]) -> Iterator[str]:
    """Yield a table of all verbs that leads to their pages."""
    rows = [
        (f"[`{source}.{verb.name}`](actions/verbs/{source}.{verb.name}.md)", verb.description, verb.guarantee)
        for source in sources
        for verb in verbs_of(source)
    ]
    yield from table(("verb", "what it does", "guarantee"), rows)


def _page(folder: Path, source: str, verb: Verb) -> Iterator[str]:
    name = f"{source}.{verb.name}"
    yield from (f"<!-- Written by `python -m leat.catalog.document` from sources/{source}/actions.py. -->", f"# {name}")
    yield from ("", verb.description, "")
    approval = "a second person: it moves money" if verb.money else "any person, including the one who planned it"
    facts = [
        ("drivers", listed(_drivers(source, verb.name))),
        ("guarantee", f"[{verb.guarantee}](../../actions.md#once): {GUARANTEES[verb.guarantee]}"),
        ("permission", verb.needs),
        ("approval", approval),
        ("undo", verb.undo),
    ]
    yield from table(("", ""), facts)
    yield from ("", "## Parameters", "")
    yield from table(("parameter", "value", "default", "meaning"), fields(verb.parameters.model_json_schema()))
    plan = folder / "plans" / f"{name}.txt"
    if plan.is_file():
        command, _, printed = plan.read_text(encoding="utf-8").partition("\n")
        yield from ("", "## Example", "", "```sh", command, "```", "```text", printed.strip(), "```")
    yield ""
    page = f"[How leat acts on {source}](../{source}.md) has the credentials, the limits, and how it happens once. "
    yield f"{page}[Actions](../../actions.md) says how an action is approved, sent, confirmed and undone."


def _drivers(source: str, verb: str) -> list[str]:
    modules = {driver: actions_module(source, driver) for driver in driver_names(source)}
    # one whose actions depend on the connection, as `actions(connection)`, does every verb of the source
    every = [name for name, module in modules.items() if hasattr(module, "actions")]
    return sorted([*every, *(name for name, module in modules.items() if verb in getattr(module, "ACTIONS", {}))])
