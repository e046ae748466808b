"""Walk through the dashboard in a real Chromium: pictures, axe-core, what overflows, errors of the console.

::

    .venv/bin/uv run --no-project --with playwright==1.65.2 python -m tests.kit.walk LINK FOLDER AXE [CHROMIUM]

A development command: LINK is what ``leat serve --link`` prints, or in the demo, where people sign in at Canaille, the
address with a name and the password: ``http://alice.martin:…@127.0.0.1:8765``. AXE is the file axe.min.js of the npm
package axe-core.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

PAGES = {
    "overview": "/",
    "reports": "/reports",
    "report": "/reports/payments",
    "figure": "/reports/payments/net",
    "query": "/query",
    "catalog": "/catalog",
    "catalog-search": "/catalog?q=refund",
    "catalog-schema": "/catalog/payments",
    "catalog-table": "/catalog/analytics/payment_success",
    "violations": "/violations",
    "violations-none": "/violations?text=no+such+text",
    "actions": "/actions?view=all",
    "integrations": "/integrations",
    "runs": "/runs",
    "automations": "/actions/automations",
    "webhooks": "/webhooks",
    "webhooks-quarantined": "/webhooks?view=quarantined",
    "people": "/people",
    "sessions": "/people?view=sessions",
    "tokens": "/people?view=tokens",
    "audit": "/audit",
    "audit-none": "/audit?by=nobody",
    "preferences": "/preferences",
    "missing": "/no-such-page",
    "sign-in": "/sign-in",
}
ONE_OF = {
    "violation": "/violations",
    "action": "/actions?view=all",
    "integration": "/integrations",
    "run": "/runs",
    "automation": "/actions/automations",
    "person": "/people",
}
"""Pages that the first row of a list leads to."""
_SECRETS = re.compile(r"(?<=//)([^/@:]+):([^/@]+)@")


def walk(link: str, folder: Path, axe: str, chromium: str) -> list[str]:
    """Return what is wrong; the folder gets the pictures."""
    from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]

    origin = _SECRETS.sub("", link.partition("/sign-in")[0]).rstrip("/")
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context()
        page = context.new_page()
        _sign_in(page, link)
        page.wait_for_url(f"{origin}/")
        pages = dict(PAGES)
        for name, path in ONE_OF.items():
            page.goto(origin + path)
            first = page.query_selector("tbody a")
            if first is not None:
                pages[name] = first.get_attribute("href")
        if "automation" in pages:
            pages["automation-simulated"] = f"{pages['automation']}?days=90"
        state = context.storage_state()
        for theme in ("light", "dark"):
            for width in (1280, 390):
                context = browser.new_context(
                    storage_state=state, color_scheme=theme, viewport={"width": width, "height": 900}
                )
                page = context.new_page()
                page.on("console", lambda said: wrong.append(f"console: {said.text}") if _matters(said) else None)
                page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
                for name, path in pages.items():
                    page.goto(origin + path)
                    wrong.extend(f"{name}, {theme}, {width}: {what}" for what in _judged(page, axe))
                    page.screenshot(path=str(folder / f"{name}-{theme}-{width}.png"), full_page=True)
                context.close()
        browser.close()
    return wrong


def _sign_in(page: Any, link: str) -> None:
    named = _SECRETS.search(link)
    if named is None:
        page.goto(link)
        page.click("button")
        return
    page.goto(f"{_SECRETS.sub('', link).rstrip('/')}/sign-in/begin")
    for field, value in (("login", named[1]), ("password", named[2])):
        page.fill(f"input[name={field}]", value)
        page.press(f"input[name={field}]", "Enter")


def _matters(said: Any) -> bool:
    return said.type in ("error", "warning") and "status of 404" not in said.text


def _judged(page: Any, axe: str) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.evaluate(axe)
    violations = page.evaluate("axe.run(document)")["violations"]
    objections = [f"{each['id']}: {[node['html'][:150] for node in each['nodes']]}" for each in violations]
    return [*([f"overflows by {wide} pixels"] if wide > 0 else []), *objections]


if __name__ == "__main__":
    _link, _folder, _axe, *_chromium = sys.argv[1:]
    Path(_folder).mkdir(parents=True, exist_ok=True)
    _wrong = walk(_link, Path(_folder), Path(_axe).read_text(encoding="utf-8"), *(_chromium or ["/usr/bin/chromium"]))
    print("\n".join(_wrong) or "nothing is wrong")
    sys.exit(bool(_wrong))
