"""Lighthouse on pages of the dashboard, with its four scores and what they lack.

::

    .venv/bin/uv run --no-project --with playwright==1.65.2 python -m tests.kit.lighthouse LINK PROGRAM [PATH …]

A development command: LINK is as for ``tests.kit.walk``, PROGRAM is the file ``lighthouse`` of the npm package, and
PATH is the address of a page; without one, it looks at the overview, a report and a violation.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.kit.browser import CHROMIUM, FLAGS, browsing, first_of_lists, names_in, origin_of, signed_in

CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
LEAST = 0.95
_PATHS = ("/", "/reports/payments")


def measure(link: str, program: str, paths: list[str]) -> bool:
    """Print the scores of each page; return whether all are high enough."""
    origin, enough = origin_of(link), True
    with browsing() as browser:
        state = signed_in(browser, link, names_in(link)[0])
        if not paths:
            page = browser.new_context(storage_state=state).new_page()
            paths = [*_PATHS, *first_of_lists(page, origin, {"violation": "/violations"}).values()]
    cookie = "; ".join(f"{each['name']}={each['value']}" for each in state["cookies"])
    print(f"| page | {' | '.join(CATEGORIES)} |\n|---|---|---|---|---|")
    for path in paths:
        report = _report(program, origin + path, cookie)
        scores = [report["categories"][name]["score"] for name in CATEGORIES]
        print(f"| {path} | {' | '.join(f'{score * 100:.0f}' for score in scores)} |", flush=True)
        for audit in _lacking(report):
            print(f"  {audit}")
        enough = enough and min(scores) >= LEAST
    return enough


def _report(program: str, url: str, cookie: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        headers, report = Path(folder, "headers.json"), Path(folder, "report.json")
        headers.write_text(json.dumps({"Cookie": cookie}), encoding="utf-8")
        flags = f"--chrome-flags=--headless=new {' '.join(FLAGS)}"
        command = [program, url, f"--extra-headers={headers}", "--output=json", f"--output-path={report}", "--quiet",
                   flags, f"--only-categories={','.join(CATEGORIES)}"]  # fmt: skip
        subprocess.run(command, check=True, env={"CHROME_PATH": CHROMIUM, "PATH": "/usr/bin:/bin"}, timeout=300)
        return dict(json.loads(report.read_text(encoding="utf-8")))


def _lacking(report: dict[str, Any]) -> list[str]:
    """Return the audits that cost points."""
    named = {each["id"] for name in CATEGORIES for each in report["categories"][name]["auditRefs"] if each["weight"]}
    return [f"{audit['id']}: {audit['title']} ({audit.get('displayValue') or audit['score']})"
            for audit in report["audits"].values()
            if audit["id"] in named and audit["score"] is not None and audit["score"] < 1]  # fmt: skip


if __name__ == "__main__":
    _link, _program, *_asked = sys.argv[1:]
    sys.exit(not measure(_link, _program, _asked))
