"""``leat schema``: the JSON Schema of declarations, for editors."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

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
            help="Write pipelines/schema.json, and the schemas of alerts, automations and policies.",
        ),
    ] = False,
) -> None:
    """Print the JSON Schema of declarations, for editors."""
    from leat.pipelines.declare.json_schema import json_schema
    from leat.sources.driver import add_sources

    add_sources((Path(context.meta["project"]) / "sources").resolve())
    text = jsonlib.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if not write:
        sys.stdout.write(text)
        return
    path = Path(context.meta["project"]) / "pipelines" / "schema.json"
    path.write_text(text, encoding="utf-8")
    say(f"wrote {path}")
    alerts = Path(context.meta["project"]) / "quality" / "alerts.yaml"
    if alerts.exists():
        from leat.quality.alerts.schema import alerts_schema

        alerts_file = alerts.with_suffix(".schema.json")
        alerts_file.write_text(jsonlib.dumps(alerts_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"wrote {alerts_file}")
    webhooks = Path(context.meta["project"]) / "quality" / "webhooks.yaml"
    if webhooks.exists():
        from leat.hooks.out.declaration import webhooks_schema

        webhooks_file = webhooks.with_suffix(".schema.json")
        webhooks_file.write_text(
            jsonlib.dumps(webhooks_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        say(f"wrote {webhooks_file}")
    policies = Path(context.meta["project"]) / "policies"
    if policies.is_dir():
        from leat.security.policy_declaration import policy_schema

        policies_file = policies / "schema.json"
        policies_file.write_text(jsonlib.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        say(f"wrote {policies_file}")
    automations = Path(context.meta["project"]) / "automations"
    if automations.is_dir():
        from leat.actions.automations.schema import automations_schema

        automations_file = automations / "schema.json"
        automations_file.write_text(
            jsonlib.dumps(automations_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        say(f"wrote {automations_file}")
