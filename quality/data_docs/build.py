"""Builds Data Docs of the published tables: one suite per table, which mirrors its checks, and one of the rules.

The checks run again as expectations; the pages show how many rows broke one, never their values. The suite of rules
says which have open violations. Only the pages are stored, and nothing uses the network.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leat.quality.check_queries import expectations_of, impossible, rows_of
from leat.quality.checks import CheckedTable
from leat.quality.expectations import Expectation, results_of, unexpected_rows
from leat.quality.rule_files import Rule
from leat.warehouse.session import Session, literal

RULES_SUITE = "leat.rules"
_RUN = "published"
_OPEN = "SELECT * FROM leat.violations WHERE resolved_at IS NULL"


@dataclass(frozen=True, slots=True)
class _Suite:
    """A suite with its results: Great Expectations' own, ready to be rendered."""

    name: str
    results: Sequence[Any]


def build_data_docs(
    session: Session, tables: Sequence[CheckedTable], rules: Sequence[Rule], folder: Path
) -> dict[str, str]:
    """Write the pages into a folder; returns where the results of each suite are, relative to it, by its name.

    Args:
        session: a transaction on what readers see.
        tables: the tables with their checks; those that aren't there are left out.
        rules: the rules.
        folder: where to; it is made.
    """
    newest = session.execute("SELECT MAX(applied_at) FROM leat.loads")[0][0] or datetime(1970, 1, 1, tzinfo=UTC)
    suites = [suite for table in tables for suite in _checked(session, table)]
    suites += _ruled(session, rules)
    return _write(suites, newest, folder)


def _checked(session: Session, table: CheckedTable) -> Iterator[_Suite]:
    types = session.columns(table.schema, table.table)
    wanted: list[tuple[Expectation, str]] = []
    for check in table.checks if types else ():
        there = session.columns(*check.target[:2]) if check.target else {}
        if (check.target and not there) or impossible(check, types):
            continue
        text = f"{check.description} ({check.severity})"
        wanted += [(each, text) for each in expectations_of(session, check, types, there)]
    if wanted:
        yield _suite(session, table.subject, rows_of(table), wanted)


def _ruled(session: Session, rules: Sequence[Rule]) -> Iterator[_Suite]:
    if rules and session.columns("leat", "violations"):
        wanted = [
            (
                unexpected_rows(f"SELECT 1 AS violation FROM {{batch}} WHERE rule = {literal(rule.name)}"),
                f"{rule.title} ({rule.severity})",
            )
            for rule in rules
        ]
        yield _suite(session, RULES_SUITE, _OPEN, wanted)


def _suite(session: Session, name: str, select: str, wanted: Sequence[tuple[Expectation, str]]) -> _Suite:
    results = results_of(session, select, [expectation for expectation, _ in wanted])
    for result, (_, text) in zip(results, wanted, strict=True):
        # Great Expectations takes a description, and the name of a column above it, for HTML.
        config = result.expectation_config
        config.description = html.escape(text)
        if "column" in config.kwargs:
            config.kwargs["column"] = html.escape(config.kwargs["column"])
    return _Suite(name, results)


def _write(suites: Sequence[_Suite], newest: datetime, folder: Path) -> dict[str, str]:
    import great_expectations as gx
    from great_expectations.core.expectation_suite import ExpectationSuite
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    context = gx.get_context(mode="ephemeral")
    run = RunIdentifier(run_name=_RUN, run_time=newest)
    identifiers: dict[str, ValidationResultIdentifier] = {}
    for suite in suites:
        expectations = [result.expectation_config.to_domain_obj() for result in suite.results]
        context.suites.add(ExpectationSuite(name=suite.name, expectations=expectations))
        named = ExpectationSuiteIdentifier(suite.name)
        identifiers[suite.name] = ValidationResultIdentifier(named, run, _RUN)
        context.validation_results_store.set(identifiers[suite.name], _validated(suite, run))
    site = _site(context, folder)
    site.build()
    root = folder.resolve().as_uri() + "/"
    return {name: str(site.get_resource_url(one)).removeprefix(root) for name, one in identifiers.items()}


def _validated(suite: _Suite, run: Any) -> Any:
    from great_expectations import __version__
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult

    met, number = sum(bool(result.success) for result in suite.results), len(suite.results)
    return ExpectationSuiteValidationResult(
        success=met == number,
        results=list(suite.results),
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": number,
            "successful_expectations": met,
            "unsuccessful_expectations": number - met,
            "success_percent": 100 * met / number,
        },
        meta={
            "run_id": run,
            "great_expectations_version": __version__,
            "active_batch_definition": {"data_asset_name": suite.name},
        },
    )


def _site(context: Any, folder: Path) -> Any:
    from great_expectations.render.renderer.site_builder import SiteBuilder

    module = "leat.quality.data_docs.views"
    page: Mapping[str, Any] = {"view": {"module_name": module, "class_name": "OfflinePageView"}}
    index = {
        "class_name": "DefaultSiteIndexBuilder",
        "view": {"module_name": module, "class_name": "OfflineIndexView"},
    }
    return SiteBuilder(
        data_context=context,
        store_backend={"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        site_name="leat",
        site_index_builder=index,
        show_how_to_buttons=False,
        site_section_builders={"expectations": {**page}, "validations": {**page}, "profiling": "None"},
    )
