"""Reports, Query and Catalog: who sees what, rows and SQL behind numbers, errors with their place, saved queries."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from typing import Any

import pytest
from fastapi import Request

from leat.runs.access import Forbidden
from leat.runs.catalog_entries import read_catalog
from leat.runs.workspace import Workspace
from leat.security.default_policy import DEFAULT_POLICY
from leat.security.policy import Policy, Rule, Selector
from leat.security.policy_file import Security
from leat.security.principal import local_principal
from leat.serve.api.guard import Guard
from leat.serve.api.models import NewQuery
from leat.serve.api.queries import begin, unless_gone
from leat.serve.pages.catalog import show_schema, show_table, visible
from leat.serve.pages.query_error import QueryError, explained
from leat.serve.problem import Problem
from tests.kit.child import wait_until
from tests.serve.test_pages import Pages
from tests.serve.test_pages import desk as desk  # noqa: PLC0414 - a fixture
from tests.serve.test_pages import pages as pages  # noqa: PLC0414 - a fixture


def test_a_report_draws_each_figure_or_says_why_not(pages: Pages) -> None:
    text = pages("/reports/shop").text
    assert re.search(
        r'tally</a> <span class="badge[^>]*>no age limit</span> <a href="/violations\?integration=tally">', text
    )
    assert "Most are" in text
    assert "&lt;script&gt;" in text
    assert "All are 2." in text
    assert "5.00 EUR." in text
    assert "100.0 %." in text
    assert "There are no rows for it." in text
    assert "isn&#39;t built yet" in text or "isn't built yet" in text
    assert text.count("<svg") == text.count("Show as table") == 3
    assert text.count('<desc id="') == len(set(re.findall(r'<desc id="([^"]+)"', text)))
    shown = pages("/reports/shop", "viewer").text
    assert shown.count("You may not see it, because it has personal data.") == 1
    assert "script&gt;" not in shown and "<script" not in shown.replace("<script src", "")


def test_a_number_leads_to_its_rows_and_its_sql(pages: Pages) -> None:
    at = re.search(r'href="(/reports/shop/labels\?currency=EUR&amp;at=%3D2%2B2)#rows"', pages("/reports/shop").text)
    assert at is not None
    text = pages(at[1].replace("&amp;", "&")).text
    assert "Rows behind it: =2+2" in text
    assert "1 row." in text
    assert "COUNT(*) AS value" in text
    assert 'href="/query?sql=SELECT' in text
    assert "column</" not in text
    assert pages("/reports/shop/labels", "viewer").status_code == 403
    days = pages("/reports/shop/days", "viewer").text
    assert "Each row may be about one person" in days
    assert "<th>number</th>" not in days
    assert "=2+2" not in days
    assert "/query?" not in days
    file = pages("/reports/shop/labels.csv", "analyst")
    assert file.headers["content-disposition"] == 'attachment; filename="shop-labels.csv"'
    assert "'=2+2,1" in file.text
    for path in ("/reports/none", "/reports/shop/nothing", "/reports/shop/labels?at=nobody"):
        assert pages(path).status_code == 404, path


def test_a_report_with_a_mistake_says_where(pages: Pages) -> None:
    path = pages.workspace.project.folder / "assets" / "reports" / "broken.yaml"
    figure = "{title: One, sentence: '{best}', model: labels, value: COUNT(*), chart: number}"
    path.write_text(f"title: Broken\ndescription: Broken.\nfigures:\n  one: {figure}\n")
    try:
        wait_until(lambda: "broken.yaml:4: figures.one.sentence" in pages("/reports").text)
        answer = pages("/reports/broken")
        assert (answer.status_code, "{best} is no value" in answer.text) == (409, True)
    finally:
        path.unlink()


ALL = "SELECT id, label FROM tally.fed ORDER BY id"


def test_a_query_shows_its_rows_or_what_is_wrong(pages: Pages) -> None:
    shown = pages("/query", "analyst", {"sql": ALL})
    assert (shown.status_code, "<h2>2 rows</h2>" in shown.text) == (200, True), shown.text
    assert '<td class="number">1</td><td>&lt;script&gt;alert(1)' in shown.text
    many = pages("/query", "analyst", {"sql": "SELECT 7 AS a, 8 AS a FROM range(150)", "rows": "100"}).text
    assert "<h2>100 rows, and there are more</h2>" in many
    assert "<th>a</th><th>a</th>" in many
    assert "The columns are: id, label." in pages("/query", "analyst", {"sql": f"SELECT * FROM ({ALL}) WHERE 1=0"}).text
    wrong = pages("/query", "analyst", {"sql": "SELECT\n  lable FROM tally.fed"})
    assert wrong.status_code == 422
    assert "Line 2, character 3:" in wrong.text
    assert "<pre>  <mark>lable</mark> FROM tally.fed</pre>" in wrong.text
    assert "lable FROM tally.fed</textarea>" in wrong.text, "what was written is still there"
    assert "A query is one SELECT" in pages("/query", "analyst", {"sql": "DELETE FROM tally.fed"}).text
    assert pages("/query", "analyst", {"sql": ""}).status_code == 422
    hooks = pages("/query", "analyst", {"sql": "SELECT * FROM hooks.events"})
    assert (hooks.status_code, "may not read hook" in hooks.text) == (403, True)


def test_the_tables_are_those_that_one_may_query(pages: Pages) -> None:
    text = pages("/query", "analyst").text
    assert 'data-insert="tally.fed"' in text
    assert 'data-insert="analytics.labels"' in text
    assert 'data-insert="label"' in pages("/query/columns?table=tally.fed", "analyst").text
    assert pages("/query/columns?table=tally.fed", "viewer").status_code == 403
    assert 'href="/query"' not in pages("/", "viewer").text
    assert "<textarea" not in pages("/query?sql=SELECT+1", "viewer").text


def test_rows_are_saved_as_files(pages: Pages) -> None:
    file = pages("/query/file.csv", "analyst", {"sql": ALL})
    assert file.headers["content-disposition"] == 'attachment; filename="query.csv"'
    assert "2,'=2+2" in file.text
    assert json.loads(pages("/query/file.json", "analyst", {"sql": ALL}).text)["rows"][1] == {"id": 2, "label": "=2+2"}
    assert pages("/query/file.xls", "analyst", {"sql": ALL}).status_code == 404
    assert pages("/query/file.csv", "viewer", {"sql": ALL}).status_code == 403
    assert pages("/query/file.csv", "analyst", {"sql": ALL}, origin="https://evil.example").status_code == 403


def test_a_saved_query_is_opened_by_its_address_and_deleted_by_its_owner(pages: Pages) -> None:
    at = pages("/query/save", "analyst", {"name": "Labels", "sql": ALL}).headers["location"]
    text = pages(at, "analyst").text
    assert "Saved." in text
    at = at.partition("?")[0]
    assert f'<a href="{at}">Labels</a>' in pages("/query", "analyst").text
    other = pages(at, "operator").text
    assert "Saved by analyst" in other
    assert "Delete the saved query" not in other
    assert pages(f"{at}/delete", "operator", {}).status_code == 403
    assert at not in pages("/query", "operator").text
    again = pages("/query/save", "analyst", {"name": "Labels", "sql": "SELECT 2"}).headers["location"]
    assert again.startswith(at)
    assert re.search(r"SELECT 2</textarea>", pages(at, "analyst").text)
    assert pages(f"{at}/delete", "analyst", {}).headers["location"] == "/query?done=deleted"
    assert pages(at, "analyst").status_code == 404
    assert pages("/query/save", "analyst", {"name": "", "sql": ALL}).status_code == 422


def test_a_query_ends_when_nobody_waits_for_it(pages: Pages) -> None:
    guard = Guard(pages.workspace, local_principal())
    mark = "SELECT COUNT(*) AS nobody_waits FROM range(1000000000000)"

    async def leave() -> None:
        left = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await left.wait()
            return {"type": "http.disconnect"}

        asyncio.get_running_loop().call_later(0.5, left.set)
        await unless_gone(Request({"type": "http"}, receive), begin(guard, NewQuery(sql=mark), "table"))

    with pytest.raises(Problem, match="closed the connection"):
        asyncio.run(leave())
    own = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "leat.serve.query"], check=False)
    assert own.returncode == 1, "its process has ended"


PLACES = [
    ('Binder Error: no "b"\n\nLINE 1: SELECT b\n               ^', QueryError('no "b"', 1, 8, "SELECT ", "b")),
    ("it's bad. Line 1, Col: 3.", QueryError("it's bad.", 1, 3, "SE", "LECT", " b")),
    ("it was refused. Next: write less", QueryError("it was refused.")),
    ("x\nLINE 1: ...LECT b\n                ^", QueryError("x", 1, 8, "SELECT ", "b")),
    ("x\nLINE 7: SELECT b\n               ^", QueryError("x")),
]


@pytest.mark.parametrize(("text", "wanted"), PLACES)
def test_an_error_has_its_place(text: str, wanted: QueryError) -> None:
    assert explained(text, "SELECT b") == wanted


def test_a_search_finds_tables_by_their_names_columns_and_meanings(pages: Pages) -> None:
    text = pages("/catalog?q=removal+reported", "viewer").text
    assert '<a href="/catalog/tally/fed">tally.fed</a>' in text
    assert "/catalog/tally/scanned" not in text
    columns = pages("/catalog?q=wall+clock").text
    assert 'href="/catalog/tally/fed#c-wall_clock"' in columns
    assert "Nothing has all of these words." in pages("/catalog?q=no+such+words").text


def test_a_table_has_its_columns_its_lineage_and_its_rules(pages: Pages) -> None:
    text = pages("/catalog/tally/fed", "viewer").text
    assert "A thing whose removal is reported." in text
    assert '<span class="badge warn">personal</span>' in text
    assert 'href="/violations?rule=labels">Every label is right</a>' in text
    assert 'href="/catalog/analytics/labels"' in text
    assert "Open in Query" not in text
    model = pages("/catalog/analytics/labels", "analyst").text
    assert '<a href="/catalog/tally/fed">tally.fed</a>.label' in model
    assert "<dt>grain</dt><dd>label, rebuilt only where its inputs changed</dd>" in model
    assert "SQL of the model" in model
    assert 'href="/query?sql=SELECT' in model
    assert 'href="/catalog/analytics"' in pages("/catalog").text
    for path in ("/catalog/nothing", "/catalog/tally/nothing"):
        assert pages(path).status_code == 404, path


def test_a_system_that_one_may_not_see_is_left_out(pages: Pages) -> None:
    hidden = Selector(integrations=frozenset({"tally"}))
    rule = Rule("hidden", "forbid", frozenset({"viewer"}), frozenset({"read"}), hidden)
    workspace = Workspace(pages.workspace.project)
    workspace.__dict__["security"] = Security(Policy((rule, *DEFAULT_POLICY.rules)))
    guards = {role: Guard(workspace, local_principal(role)) for role in ("viewer", "analyst")}  # type: ignore[arg-type]
    contents = read_catalog(workspace)
    assert ("tally", "fed") not in visible(guards["viewer"], contents)
    assert ("analytics", "labels") in visible(guards["viewer"], contents)
    assert ("tally", "fed") in visible(guards["analyst"], contents)
    for show, names in ((show_table, ("tally", "fed")), (show_schema, ("tally",))):
        with pytest.raises(Forbidden):
            show(guards["viewer"], Request({"type": "http"}), *names)  # type: ignore[operator]
