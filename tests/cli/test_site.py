"""``leat docs``: a site that works from a folder, whatever names and texts a project has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from leat.catalog.site.lineage import picture
from leat.control.outbox import NewAction, add_actions
from leat.control.store import open_control
from tests.kit.command import Leat, tally_project, then
from tests.kit.pages import Page, broken_links, pages_of
from tests.kit.project import row, rows

HOSTILE = "<script>alert(1)</script>"
MODEL = f"""/* ---
description: "What `tally` has, and {HOSTILE} & more."
owners: [ops]
grain: [label]
columns:
  label: "Said twice: {HOSTILE}"
  "<b>odd</b> 'name'": Odd.
checks:
  - not_null: ["<b>odd</b> 'name'"]
  - accepted_values: {{label: ["{HOSTILE}", one]}}
    severity: warn
--- */
SELECT label, id AS "<b>odd</b> 'name'" FROM tally.kept WHERE _deleted_at IS NULL
"""
LATER = "/* ---\ndescription: Labels of odd things.\ncolumns: {name: Label.}\n--- */\nSELECT label AS name FROM odd\n"
RULE = f"""/* ---
title: "Nothing is called two, {HOSTILE}"
description: Something is.
next_step: Rename it.
owner: ops
key: id
--- */
SELECT id, label FROM tally.kept WHERE label = 'two'
"""


@dataclass(frozen=True)
class Site:
    leat: Leat
    folder: Path
    pages: dict[Path, Page]

    def text(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    leat = tally_project(tmp_path_factory.mktemp("project"), "{kept: {history: true, fresh_within: P1D}}")
    files = {"assets/models/odd.sql": MODEL, "assets/models/later.sql": LATER, "quality/rules/two.sql": RULE}
    for name, text in files.items():
        (leat.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (leat.folder / name).write_text(text)
    then(leat, rows("kept", row(1, "one"), row(2, "two")))
    done = leat("run")
    assert done.returncode == 0, done.stdout + done.stderr
    propose(leat)
    reported = leat("docs", "--data-docs")
    assert reported.returncode == 0, reported.stdout + reported.stderr
    folder = leat.folder / ".leat" / "docs"
    assert reported.stdout == f"{folder / 'index.html'}\n"
    yield Site(leat, folder, pages_of(folder))


def propose(leat: Leat) -> None:
    """Propose an action for the violation, as an automation does."""
    [violation] = leat.json("violations")["violations"]
    now = datetime.now(UTC)
    action = NewAction(
        dedupe_key="rename", integration="tally", verb="rename", guarantee="natural", money=False,
        title="rename two to three", target="kept/two", parameters={}, plan={}, digest="0" * 64,
        created_by="automation/rename", expires_at=now + timedelta(days=1), automation="rename",
        subject=violation["key"],
    )  # fmt: skip
    store = open_control(f"sqlite:///{leat.folder / '.leat' / 'control.db'}")
    add_actions(store, [action], now)
    store.dispose()


def test_every_page_is_sound_and_every_link_leads_somewhere(site: Site) -> None:
    assert len(site.pages) > 30
    assert {str(path): page.mistakes for path, page in site.pages.items() if page.mistakes} == {}
    assert list(broken_links(site.pages)) == []


def test_nothing_is_loaded_from_the_network(site: Site) -> None:
    loaded = {link for page in site.pages.values() for link in page.loaded}
    assert loaded == {"data:,", "style.css", "../style.css"}
    assert "@import" not in site.text("style.css")
    assert "url(" not in site.text("style.css")


def test_texts_of_a_project_are_never_markup(site: Site) -> None:
    assert {str(path) for path, page in site.pages.items() if "script" in page.tags} == {
        str(site.folder / "index.html")
    }
    assert site.pages[site.folder / "index.html"].tags.count("script") == 2
    assert [str(path) for path, page in site.pages.items() if "b" in page.tags] == []
    page = site.text("tables/analytics.odd.html")
    assert "What <code>tally</code> has, and &lt;script&gt;alert(1)&lt;/script&gt; &amp; more." in page


def test_a_table_answers_what_an_analyst_asks(site: Site) -> None:
    page = site.text("tables/tally.kept.html")
    said = ("A thing that is never removed.", "<dd>2</dd>", "shelf, id", "Rows of this table are never deleted.", "P1D")
    for text in (*said, 'class="tag personal"', "tally.kept_history.html", "analytics.odd.html", "rules.html#two"):
        assert text in page, text
    assert "FROM tally.kept WHERE _deleted_at IS NULL" in page
    assert 'class="good">holds' in page
    assert "fails" not in page
    assert 'href="../tables/analytics.odd.html#column-label"' in site.text("tables/analytics.later.html")
    assert "1 row" in site.text("tables/analytics.odd.html")  # a label that isn't among the accepted values
    assert "1 open" in site.text("rules.html")
    violations = site.text("violations.html")
    assert "Rename it." in violations
    assert "<td>two" not in violations  # evidence stays in the warehouse
    [action] = site.leat.json("violations")["violations"][0]["actions"]
    assert f"<code>tally.rename</code> planned (<code>{action['id'][:8]}</code>)" in violations
    assert action["title"] not in violations
    assert (action["verb"], action["automation"]) == ("rename", "rename")
    shown = site.leat("violations", "--open").stdout
    assert f"{action['id'][:8]} planned: rename two to three; `leat actions approve" in " ".join(shown.split())


def test_a_table_shows_its_last_loads_and_a_model_its_sql(site: Site) -> None:
    page = site.text("tables/tally.kept.html")
    loads = page.partition('<h2 id="loads">')[2].partition("</table>")[0]
    counts = "".join(f'<td class="number">{count}</td>' for count in (2, 0, 0, 0, 2))
    assert loads.count("<tr><td>") == 1
    assert f" UTC</td>{counts}</tr>" in loads
    model = site.text("tables/analytics.odd.html")
    assert "<dt>Grain</dt><dd><code>label</code>, rebuilt only where its inputs changed</dd>" in model
    assert "<dt>Grain</dt>" not in page
    sql = model.partition('<h2 id="sql">')[2]
    assert sql.startswith('SQL</h2>\n<pre tabindex="0"><code>SELECT label, id AS &#34;&lt;b&gt;odd&lt;/b&gt;')


def test_rows_are_shown_when_asked_for_without_personal_data(site: Site, tmp_path: Path) -> None:
    assert 'id="rows"' not in site.text("tables/tally.kept.html")
    assert site.leat("docs", "--rows", "--out", str(tmp_path / "site")).returncode == 0
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "site" / "tables").iterdir()}
    personal = {name: page for name, page in pages.items() if name in ("tally.kept.html", "analytics.odd.html")}
    for page in personal.values():
        rows = page.partition('<h2 id="rows">')[2].partition("</table>")[0]
        assert rows.count("<td>(personal)</td>") >= 2
        assert ("<td>1</td>" in rows, "<td>one</td>" in rows, "<td>two</td>" in rows) == (True, False, False)
        assert "_load_id" not in rows
    assert all('id="rows"' not in page for name, page in pages.items() if name.startswith(("leat.", "catalog.")))
    assert list(broken_links(pages_of(tmp_path / "site"))) == []


def test_everything_can_be_searched(site: Site) -> None:
    text = site.text("index.html")
    start = text.index('id="entries">') + len('id="entries">')
    entries = json.loads(text[start : text.index("</script>", start)])
    names = {name: address for name, address, _ in entries}
    assert names["tally.kept.label"] == "tables/tally.kept.html#column-label"
    assert names["tally.kept"] == "tables/tally.kept.html"
    assert "rules.html#two" in names.values()
    for address in names.values():
        path, _, anchor = address.partition("#")
        assert not anchor or anchor in site.pages[site.folder / path].ids, address


def test_data_docs_have_results_without_values(site: Site) -> None:
    index = site.text("data-docs/index.html")
    for suite in ("tally.kept", "analytics.odd", "leat.rules"):
        assert f">{suite}</a>" in index
    actual = list((site.folder / "data-docs" / "validations" / "analytics" / "odd").rglob("*.html"))
    assert len(actual) == 1
    page = actual[0].read_text(encoding="utf-8")
    assert "Failed" in page
    assert "50% unexpected" in page
    assert ">two<" not in page
    assert str(actual[0].relative_to(site.folder)) in site.text("tables/analytics.odd.html")


def test_data_docs_are_left_out_unless_asked_for(site: Site, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    done = site.leat("docs", "--out", str(plain))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{plain / 'index.html'}\n", "")
    assert not (plain / "data-docs").exists()
    assert list(broken_links(pages_of(plain))) == []
    assert "data-docs" not in (plain / "tables" / "analytics.odd.html").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_a_mistake_of_the_command_line(site: Site) -> None:
    done = site.leat("docs", "--out", "/proc/leat-docs")
    assert (done.returncode, done.stdout) == (2, "")
    assert "/proc/leat-docs can't be written" in done.stderr


def test_only_its_owner_can_read_it(site: Site) -> None:
    modes = {path.stat().st_mode & 0o777 for path in site.folder.rglob("*") if path.is_file()}
    folders = {path.stat().st_mode & 0o777 for path in [site.folder, *site.folder.rglob("*")] if path.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


def test_the_same_warehouse_gives_the_same_bytes(site: Site, tmp_path: Path) -> None:
    done = site.leat("docs", "--data-docs", "--out", str(tmp_path / "again"))
    assert done.stdout == f"{tmp_path / 'again' / 'index.html'}\n"

    def content(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first, second = content(site.folder), content(tmp_path / "again")
    assert [name for name in first | second if first.get(name) != second.get(name)] == []


def test_a_folder_with_other_files_is_left_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = site.leat("docs", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "has files that `leat docs` didn't write. Next: give --out a folder of its own" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_before_the_first_run_it_says_what_to_do(tmp_path: Path) -> None:
    done = tally_project(tmp_path)("docs")
    assert done.returncode == 1
    assert "nothing has been published yet; `leat run`" in done.stderr
    assert not (tmp_path / ".leat" / "docs").exists()
    assert list((tmp_path / ".leat").glob("*draft*")) == []


def test_lineage_is_drawn_two_steps_each_way() -> None:
    chain = [("s", name) for name in "abcdefg"]
    reads = {later: [earlier] for earlier, later in pairwise(chain)}
    read_by = {earlier: [later] for earlier, later in pairwise(chain)}
    drawn = picture(("s", "d"), reads, read_by)
    assert drawn is not None
    assert [box.name[1] for box in sorted(drawn.boxes, key=lambda box: box.x)] == list("bcdef")
    assert len(drawn.paths) == 4
    assert picture(("s", "alone"), reads, read_by) is None
