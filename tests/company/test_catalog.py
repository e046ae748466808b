"""The catalog and the site of the whole demo company: all of it is described, and every example runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leat.warehouse.connect import open_warehouse
from tests.company.conftest import Demo
from tests.kit.pages import broken_links, pages_of


def rows(demo: Demo, sql: str) -> list[tuple[Any, ...]]:
    with open_warehouse(None, demo.state).published() as session:
        return session.execute(sql)


def test_every_table_of_the_company_is_in_the_catalog(demo: Demo) -> None:
    there = rows(
        demo,
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = current_database() "
        "AND table_schema <> '_keys' "  # what leat stores to build models, for nobody to read
        "EXCEPT SELECT schema_name, table_name FROM catalog.tables",
    )
    assert there == []
    models = {path.stem for path in (demo.leat.folder / "assets" / "models").glob("*.sql") if path.suffixes == [".sql"]}
    actual = {name for (name,) in rows(demo, "SELECT table_name FROM catalog.tables WHERE kind = 'model'")}
    assert actual == models
    rules = {path.stem for path in (demo.leat.folder / "quality" / "rules").glob("*.sql") if path.suffixes == [".sql"]}
    assert {name for (name,) in rows(demo, "SELECT rule FROM catalog.rules")} == rules


def test_every_column_of_the_company_is_described(demo: Demo) -> None:
    sql = "SELECT schema_name || '.' || table_name || '.' || column_name FROM catalog.columns "
    assert rows(demo, sql + "WHERE COALESCE(description, '') = ''") == []
    assert rows(demo, sql + "WHERE type IS NULL OR type = '?'") == []
    assert (
        rows(
            demo,
            "SELECT table_schema, table_name, column_name FROM information_schema.columns "
            "WHERE table_catalog = current_database() AND table_schema NOT IN ('catalog', '_keys') "
            "EXCEPT SELECT schema_name, table_name, column_name FROM catalog.columns",
        )
        == []
    )


def test_every_example_of_the_company_runs(demo: Demo) -> None:
    examples = rows(demo, "SELECT example_query FROM catalog.tables")
    assert len(examples) > 120
    with open_warehouse(None, demo.state).published() as session:
        for (query,) in examples:
            session.execute(query)


def test_violations_are_those_of_the_ledger(demo: Demo) -> None:
    ledger = rows(demo, "SELECT rule, violation_key FROM leat.violations WHERE resolved_at IS NULL ORDER BY 1, 2")
    assert rows(demo, "SELECT rule, violation_key FROM catalog.open_violations ORDER BY 1, 2") == ledger
    counted = rows(demo, "SELECT rule, open_violations FROM catalog.rules WHERE open_violations > 0")
    assert sum(count for _, count in counted) == len([rule for rule, _ in ledger if rule != "rule_cannot_run"])


def test_the_site_of_the_company_is_whole(demo: Demo, tmp_path: Path) -> None:
    done = demo.leat("docs", "--data-docs", "--out", str(tmp_path / "site"))
    assert done.returncode == 0, done.stdout + done.stderr
    pages = pages_of(tmp_path / "site")
    assert {str(path): page.mistakes for path, page in pages.items() if page.mistakes} == {}
    assert list(broken_links(pages)) == []
    assert {link for page in pages.values() for link in page.loaded} == {"data:,", "style.css", "../style.css"}
    shown = rows(demo, "SELECT COUNT(*) FROM catalog.tables")[0][0]
    assert len(list((tmp_path / "site" / "tables").iterdir())) == shown
    suites = rows(demo, "SELECT COUNT(DISTINCT schema_name || '.' || table_name) FROM catalog.checks")[0][0]
    assert len(list((tmp_path / "site" / "data-docs" / "expectations").rglob("*.html"))) == suites + 1
