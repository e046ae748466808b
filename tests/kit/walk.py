"""Walk through the dashboard in a real Chromium: pictures, axe-core, keyboard, what overflows, the console.

::

    .venv/bin/uv run --no-project --with playwright==1.65.2 python -m tests.kit.walk LINK FOLDER AXE [--only NAME …]

A development command: LINK is what ``leat serve --link`` prints, or in the demo, where people sign in at Canaille, the
address with names and the password: ``http://alice.martin,hana.ito:…@127.0.0.1:8765``. AXE is the file axe.min.js of
the npm package axe-core.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tests.kit.browser import browsing, first_of_lists, names_in, origin_of, signed_in

PAGES = {
    "overview": "/",
    "reports": "/reports",
    "report": "/reports/payments",
    "figure": "/reports/payments/net",
    "query": "/query",
    "query-answered": "/query?sql=SELECT+1",
    "catalog": "/catalog",
    "catalog-search": "/catalog?q=refund",
    "catalog-schema": "/catalog/payments",
    "catalog-table": "/catalog/analytics/payment_success",
    "violations": "/violations",
    "violations-none": "/violations?text=no+such+text",
    "actions": "/actions?view=all",
    "integrations": "/integrations",
    "add-choose": "/integrations/-/add",
    "add-rest": "/integrations/-/add/rest_api/http",
    "add-mail": "/integrations/-/add/email/imap",
    "runs": "/runs",
    "automations": "/actions/automations",
    "webhooks": "/webhooks",
    "webhooks-quarantined": "/webhooks?view=quarantined",
    "webhooks-out": "/webhooks/out",
    "webhooks-out-failed": "/webhooks/out?status=failed",
    "people": "/people",
    "sessions": "/people?view=sessions",
    "tokens": "/people?view=tokens",
    "audit": "/audit",
    "audit-none": "/audit?by=nobody",
    "preferences": "/preferences",
    "api": "/docs/api",
    "missing": "/no-such-page",
    "sign-in": "/sign-in",
}
ONE_OF = {
    "violation": "/violations",
    "action": "/actions?view=all",
    "integration": "/integrations",
    "run": "/runs",
    "automation": "/actions/automations",
    "delivery": "/webhooks/out?status=sent",
    "person": "/people",
}
PRINTED = ("report", "violation")
_SHOWS_FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const shown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 1;
  return shown || one === document.body ? one.tagName : `!${one.outerHTML.slice(0, 120)}`;
}"""


def walk(link: str, folder: Path, axe: str, only: list[str]) -> list[str]:
    """Return what is wrong; the folder gets the pictures, by page, person, theme and width."""
    origin, wrong = origin_of(link), []
    with browsing() as browser:
        for name in names_in(link):
            state = signed_in(browser, link, name)
            pages = _pages(browser, origin, state)
            for theme, width in ((theme, width) for theme in ("light", "dark") for width in (1280, 390)):
                view = "-".join(filter(None, (name.partition(".")[0], theme, str(width))))
                context = browser.new_context(
                    storage_state=state, color_scheme=theme, viewport={"width": width, "height": 900}
                )
                page = context.new_page()
                said: list[str] = []
                page.on("console", lambda each, said=said: said.append(each.text) if _matters(each) else None)
                page.on("pageerror", lambda error, said=said: said.append(str(error)))
                for title, path in pages.items():
                    if only and title not in only:
                        continue
                    page.goto(origin + path)
                    if title == "query-answered" and page.query_selector("#query"):
                        page.click("#query button")
                        page.wait_for_selector("#answer table")
                    page.screenshot(path=str(folder / f"{title}-{view}.png"), full_page=True)
                    judged = [*_judged(page, axe), *(_by_keyboard(page) if view.endswith("light-1280") else ())]
                    wrong.extend(f"{title}, {view}: {what}" for what in (*judged, *said))
                    said.clear()
                    if title in PRINTED and view.endswith("light-1280"):
                        page.pdf(path=str(folder / f"{title}-{view}.pdf"), format="A4")
                context.close()
    return wrong


def _pages(browser: Any, origin: str, state: Any) -> dict[str, str]:
    context = browser.new_context(storage_state=state)
    pages = PAGES | first_of_lists(context.new_page(), origin, ONE_OF)
    context.close()
    if "automation" in pages:
        pages["automation-simulated"] = f"{pages['automation']}?days=90"
    return pages


def _matters(said: Any) -> bool:
    """Return whether the console says more than that a page isn't there, or that this person may not see it."""
    return said.type in ("error", "warning") and not any(f"status of {each}" in said.text for each in (403, 404))


def _judged(page: Any, axe: str) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.evaluate(axe)
    violations = page.evaluate("axe.run(document)")["violations"]
    objections = [f"{each['id']}: {[node['html'][:150] for node in each['nodes']]}" for each in violations]
    return [*([f"overflows by {wide} pixels"] if wide > 0 else []), *objections]


def _by_keyboard(page: Any) -> list[str]:
    """Press Tab from the start of a page to its end: everything shows that it has the focus, nothing catches it."""
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    most = page.evaluate("document.querySelectorAll('a, button, input, select, textarea, summary, [tabindex]').length")
    seen = []
    for _ in range(2 * most + 20):  # areas that scroll take part, too
        page.keyboard.press("Tab")
        seen.append(page.evaluate(_SHOWS_FOCUS))
        if seen[-1] == "BODY":
            break
    hidden = [f"shows no focus: {each[1:]}" for each in seen if each.startswith("!")]
    return [*hidden, *([] if "BODY" in seen else ["Tab never reaches the end"])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("link")
    parser.add_argument("folder", type=Path)
    parser.add_argument("axe", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="names of pages")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    wrong = walk(asked.link, asked.folder, asked.axe.read_text(encoding="utf-8"), asked.only)
    print("\n".join(wrong) or "nothing is wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
