"""The tables and views of the schema ``catalog``: what a row is, and the type and meaning of each column.

A column of one name means the same in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from leat.pipelines.load.system_tables import TABLES as OWN
from leat.pipelines.load.system_tables import SystemTable
from leat.sources.stream import Column, Type

_OF_LEAT = {
    "checks": "failing detail checked_at",
    "rules": "rule title next_step severity",
    "violations": "violation_key evidence first_seen_at opened_at last_seen_at "
    "acknowledged_by acknowledged_until acknowledged_note",
}
"""Columns that are those of leat's own tables, by table."""

_MEANINGS: Mapping[str, tuple[Type, str]] = {
    "schema_name": ("string", "Schema of the table: the integration, analytics for models, leat or catalog."),
    "table_name": ("string", "Name of the table."),
    "kind": ("string", "Of a table: stream, history, model, engine or catalog. Of a check: as it is declared."),
    "description": (
        "string",
        "The meaning of a row or a column, the text of a check or rule, or the purpose of a system.",
    ),
    "integration": ("string", "The integration that a table belongs to."),
    "stream": ("string", "The stream of the integration, also for its history."),
    "source": ("string", "The kind of system."),
    "driver": ("string", "The vendor's API, or the protocol, that leat reads it by."),
    "schedule": ("string", "When it runs automatically: a cron expression in the time of zone; null: never."),
    "zone": ("string", "Time zone of the schedule; null without one."),
    "owner": ("string", "Who is responsible for it."),
    "key": ("string", "The columns that identify a row or a violation, separated by commas."),
    "grain": ("string", "The columns by which leat rebuilds a model, separated by commas; null: always whole."),
    "deletes": ("string", "How leat detects deletes: feed, full_scan, or never."),
    "row_count": ("integer", "Number of rows, without deleted ones; null if leat doesn't count them."),
    "last_changed_at": ("timestamp", "When a load last changed a row, or the model was last built; UTC."),
    "last_load_at": ("timestamp", "When a load of the integration was last applied, UTC."),
    "last_good_run_at": ("timestamp", "When it was last read completely, as of the last load; UTC."),
    "fresh_within": ("string", "The highest allowed age of the table, ISO 8601; null if none is declared."),
    "fresh_within_seconds": ("integer", "The highest allowed age in seconds."),
    "history_table": (
        "string",
        "The table of all versions of its rows, in the same schema; null if it has no history.",
    ),
    "example_query": ("string", "A query of the table that runs on DuckDB and Postgres."),
    "declared_in": ("string", "The file that declares it, relative to the project."),
    "column_name": ("string", "Name of the column."),
    "position": ("integer", "Position of the column in the table, from 1."),
    "type": ("string", "leat's type of the column (docs/warehouse.md); null for a model that isn't built yet."),
    "personal": ("boolean", "Whether its values are, or come from, personal data."),
    "masked": ("boolean", "Whether its values are replaced by a keyed hash."),
    "identifies": ("string", "How it identifies a person: email, login, name, or an id; null if it doesn't."),
    "erasing": ("string", "What erasing a person does to a value of theirs, or to the row that has it; null: nothing."),
    "encrypted": ("boolean", "Whether its values are encrypted."),
    "from_schema": ("string", "Schema of the table that is read."),
    "from_table": ("string", "The table that is read."),
    "from_column": ("string", "The column that values come from; null: the whole table is read."),
    "to_schema": ("string", "Schema of the table that is built from it."),
    "to_table": ("string", "The table that is built from it."),
    "to_column": ("string", "The column that values go to; null: the whole table is built from it."),
    "check_name": ("string", "Name of the check, unique for the table."),
    "columns": ("string", "The columns that a check is about, separated by commas."),
    "target_schema": ("string", "Of a foreign key: schema of the table that must have the value."),
    "target_table": ("string", "Of a foreign key: the table that must have the value."),
    "target_column": ("string", "Of a foreign key: the column that must have the value."),
    "ok": ("boolean", "Whether it held when it was last checked; null if it never was."),
    "needs": ("string", "The integrations that must have been loaded, separated by commas."),
    "outcome": ("string", "Its latest result: holds, violated, skipped or failed; null if it never ran."),
    "open_violations": ("integer", "How many of its violations are open."),
    "mark": ("string", "A hash of the catalog's rows, and of its columns."),
}

_COLUMNS: Mapping[str, Column] = {
    **{
        column.name: column
        for table, names in _OF_LEAT.items()
        for column in OWN[table].columns
        if column.name in names.split()
    },
    **{name: Column(name, *meaning) for name, meaning in _MEANINGS.items()},
}

_TABLES: Mapping[str, tuple[str, str]] = {
    "integrations": (
        "A declared integration.",
        "integration source driver description schedule zone declared_in",
    ),
    "declared_tables": (
        "The declared part of a table's entry; catalog.tables has the rest.",
        "schema_name table_name kind description integration stream source driver owner key grain deletes "
        "fresh_within fresh_within_seconds history_table example_query declared_in",
    ),
    "columns": (
        "A column of a table.",
        "schema_name table_name column_name position type description personal masked identifies erasing encrypted",
    ),
    "lineage": (
        "That values of one column, or rows of one table, are computed from another.",
        "from_schema from_table from_column to_schema to_table to_column",
    ),
    "declared_checks": (
        "A declared check; catalog.checks also has its result.",
        "schema_name table_name check_name kind description severity columns target_schema target_table target_column",
    ),
    "declared_rules": (
        "A declared rule; catalog.rules also has its result.",
        "rule title description next_step severity owner key needs declared_in",
    ),
    "rule_inputs": ("That a rule reads a table.", "rule schema_name table_name"),
    "good_runs": ("The last complete run of an integration.", "integration last_good_run_at"),
    "written": ("A single row: the fingerprint of what was written.", "mark"),
}
_VIEWS: Mapping[str, tuple[str, str]] = {
    "freshness": (
        "How fresh a stream is.",
        "schema_name table_name last_changed_at last_load_at last_good_run_at fresh_within fresh_within_seconds",
    ),
    "tables": (
        "A table of the warehouse.",
        "schema_name table_name kind description integration stream source driver owner key grain deletes "
        "row_count last_changed_at fresh_within history_table example_query declared_in",
    ),
    "checks": (
        "A check of a table, and its latest result.",
        "schema_name table_name check_name kind description severity columns target_schema target_table target_column "
        "ok failing detail checked_at",
    ),
    "rules": (
        "A rule, and its latest result.",
        "rule title description next_step severity owner key needs outcome detail open_violations checked_at "
        "declared_in",
    ),
    "open_violations": (
        "An open violation of a rule.",
        "rule title severity owner violation_key evidence first_seen_at opened_at last_seen_at acknowledged_by "
        "acknowledged_until acknowledged_note next_step",
    ),
}


def _declared(tables: Mapping[str, tuple[str, str]]) -> dict[str, SystemTable]:
    return {
        table: SystemTable(text, tuple(_COLUMNS[name] for name in listed.split()))
        for table, (text, listed) in tables.items()
    }


TABLES: Mapping[str, SystemTable] = _declared(_TABLES)
"""The tables that are written."""

ALL: Mapping[str, SystemTable] = {**TABLES, **_declared(_VIEWS)}
"""The tables, and the views of :mod:`leat.catalog.views`."""
