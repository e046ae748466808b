"""What Dagster shows of models and rules before anything ran: lineage, columns and checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from leat.assets.model import Model
from leat.dagster_project.compiled import VIOLATIONS, Compiled, files_version
from leat.dagster_project.stream_specs import PERSONAL, check_spec, table_column
from leat.pipelines.declare.sql_file import OVERRIDE
from leat.pipelines.declare.table_names import ANALYTICS, TableName
from leat.quality.checks import CheckName, model_checks


def model_specs(compiled: Compiled) -> list[dg.AssetSpec]:
    """Return one asset per model, inputs first."""
    return [_model(compiled, model) for model in compiled.described.models]


def model_check_specs(compiled: Compiled) -> list[dg.AssetCheckSpec]:
    """Return the checks of models."""
    return [
        check_spec(dg.AssetKey([ANALYTICS, model.name]), CheckName(check.name, check.description, check.severity))
        for model in compiled.described.models
        for check in model_checks(model.name, model.checks).checks
    ]


def rules_spec(compiled: Compiled) -> dg.AssetSpec:
    """Return the asset of the rules: the ledger of their violations, which depends on every table that they read."""
    rules = compiled.described.rules
    tables = tuple(table for rule in rules for table in rule.inputs)
    folder = compiled.described.project.folder / "quality" / "rules"
    return dg.AssetSpec(
        VIOLATIONS,
        deps=compiled.inputs(tables),
        description="What broke a rule, with its evidence: when it was first and last seen, and when it was resolved.",
        group_name="quality",
        kinds={"sql", compiled.storage},
        code_version=files_version(list(folder.glob("*.sql"))),
        metadata={
            "dagster/table_name": "leat.violations",
            "dagster/storage_kind": compiled.storage,
            "rules": dg.MetadataValue.md(
                "\n".join(f"- {rule.title} (`{rule.shown}`)" for rule in compiled.described.rules)
            ),
        },
    )


def rule_check_specs(compiled: Compiled) -> list[dg.AssetCheckSpec]:
    """Return the rules as checks of their ledger."""
    return [
        check_spec(
            VIOLATIONS, CheckName(rule.name, "\n\n".join(filter(None, [rule.title, rule.description])), severity)
        )
        for rule in compiled.described.rules
        for severity in (rule.severity,)
    ]


def _model(compiled: Compiled, model: Model) -> dg.AssetSpec:
    folder = compiled.described.project.folder / "assets" / "models"
    files = [folder / f"{model.name}.sql", folder / f"{model.name}{OVERRIDE}"]
    return dg.AssetSpec(
        [ANALYTICS, model.name],
        deps=compiled.inputs(model.inputs),
        description=model.description,
        group_name=ANALYTICS,
        owners=[owner if "@" in owner or ":" in owner else f"team:{owner}" for owner in model.owners],
        kinds={"sql", compiled.storage, *(["view"] if model.materialized == "view" else [])},
        tags={PERSONAL: ""} if compiled.described.personal[model.name] else {},
        code_version=files_version([file for file in files if file.exists()]),
        metadata=_metadata(compiled, model),
    )


def _metadata(compiled: Compiled, model: Model) -> dict[str, Any]:
    lineage = model_lineage(compiled, model)
    return {
        "dagster/column_schema": model_schema(compiled, model, {}),
        "dagster/table_name": f"{ANALYTICS}.{model.name}",
        "dagster/storage_kind": compiled.storage,
        "query": dg.MetadataValue.md(f"```sql\n{_query(compiled.described.project.folder / model.shown)}\n```"),
        "declared in": model.shown,
        **({"dagster/column_lineage": lineage} if lineage.deps_by_column else {}),
    }


def _query(path: Path) -> str:
    """Return the query as it was written, without its header."""
    return path.read_text(encoding="utf-8").split("--- */", 1)[-1].strip()


def model_schema(compiled: Compiled, model: Model, types: Mapping[str, str]) -> dg.TableSchema:
    """Return the columns of a model; they have types once it is built."""
    return dg.TableSchema(
        [
            table_column(
                name, types.get(name, ""), description, personal=name in compiled.described.personal[model.name]
            )
            for name, description in model.columns.items()
        ]
    )


def model_lineage(compiled: Compiled, model: Model) -> dg.TableColumnLineage:
    """Return where the columns of a model come from; columns of the engine's own tables are left out."""
    deps: dict[str, list[dg.TableColumnDep]] = {}
    for column, origins in compiled.described.lineages[model.name].items():
        for table, origin in origins:
            schema, _, name = table.partition(".")
            key = compiled.asset_of(TableName(schema, name, 0))
            if key is not None:
                deps.setdefault(column, []).append(dg.TableColumnDep(key, origin))
    return dg.TableColumnLineage(deps)
