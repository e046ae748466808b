"""``leat schema``: the JSON Schema of declarations, for editors."""

from __future__ import annotations

import json as jsonlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from leat.cli.output import say


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(schema)


def schema(
    context: typer.Context,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write pipelines/schema.json, and the schemas of what else there is.",
        ),
    ] = False,
) -> None:
    """Print the JSON Schema of declarations, for editors."""
    from leat.pipelines.declare.json_schema import json_schema
    from leat.pipelines.declare.project_policy import confine

    confine(Path(context.meta["project"]).resolve())
    text = jsonlib.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if not write:
        sys.stdout.write(text)
        return
    project = Path(context.meta["project"])
    _write(project / "pipelines" / "schema.json", text)
    for there, written, load in _OTHERS:
        if (project / there).exists():
            _write(project / written, jsonlib.dumps(load(), indent=2, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    say(f"wrote {path}")


def _alerts() -> Mapping[str, Any]:
    from leat.quality.alerts.schema import alerts_schema

    return alerts_schema()


def _webhooks() -> Mapping[str, Any]:
    from leat.hooks.out.declaration import webhooks_schema

    return webhooks_schema()


def _policies() -> Mapping[str, Any]:
    from leat.security.policy_declaration import policy_schema

    return policy_schema()


def _automations() -> Mapping[str, Any]:
    from leat.actions.automations.schema import automations_schema

    return automations_schema()


def _reports() -> Mapping[str, Any]:
    from leat.assets.report import reports_schema

    return reports_schema()


_OTHERS: Sequence[tuple[str, str, Callable[[], Mapping[str, Any]]]] = (
    ("quality/alerts.yaml", "quality/alerts.schema.json", _alerts),
    ("quality/webhooks.yaml", "quality/webhooks.schema.json", _webhooks),
    ("policies", "policies/schema.json", _policies),
    ("automations", "automations/schema.json", _automations),
    ("assets/reports", "assets/reports/schema.json", _reports),
)
"""What has to be there, the file of its schema, and what makes it."""
