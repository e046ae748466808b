"""What may be written in ``quality/alerts.yaml``, how mistakes are reported, and what the commands show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import yaml

from leat.pipelines.declare.project import Project
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.quality.alerts.declaration import Alerts
from leat.quality.alerts.file import load_alerts
from leat.quality.alerts.schema import alerts_schema
from tests.kit.command import ROOT, tally_project, then
from tests.kit.project import row, rows
from tests.kit.webhook import webhook

ONE = "channels: {mail: {url: {env: MAIL}}}\ndefault: mail\n"


def project(folder: Path, text: str) -> Project:
    (folder / "quality" / "rules").mkdir(parents=True)
    (folder / "quality" / "rules" / "entries_balance.sql").touch()
    (folder / "quality" / "alerts.yaml").write_text(text)
    return Project(folder, folder / ".leat", None, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ONE + "routes:\n- serverity: error\n  channels: mail\n",
         'quality/alerts.yaml:4: routes[0].serverity: unknown key; did you mean "severity"?'),
        (ONE + "routes:\n- rule: entries_balence\n  channels: mail\n",
         "quality/alerts.yaml:4: routes[0].rule: there is no rule 'entries_balence'; "
         "did you mean \"entries_balance\"?; valid: entries_balance, rule_cannot_run"),
        (ONE + "routes: [{integration: shop, channels: [mial]}]\n",
         "quality/alerts.yaml:3: routes[0].channels: there is no channel 'mial'; did you mean \"mail\"?; "
         "valid: mail\nquality/alerts.yaml:3: routes[0].integration: there is no integration 'shop'; "
         "valid: none"),
        ("channels: {mail: {url: mailto://me}}\n",
         "quality/alerts.yaml:1: channels.mail.url: a secret is never written here; name it: {env: NAME}, "
         "{file: path} or {secret: NAME}"),
        ("channels: {}\n", "quality/alerts.yaml:1: channels: Dictionary should have at least 1 item after validation, "
         "not 0"),
        ("channels: {Mail: {url: {env: A}}}\n",
         "quality/alerts.yaml:1: channels: 'Mail': name a channel by lower-case letters, digits and _"),
        (ONE + "digest: {at: 9am}\n",
         "quality/alerts.yaml:3: digest.at: '9am' is no time of day; write it as \"09:00\""),
        (ONE + "digest: {at: 24:00}\n",
         "quality/alerts.yaml:3: digest.at: '24:00' is no time of day; write it as \"09:00\""),
        (ONE + "quiet_hours: {start: 20:00, end: 20:00}\n",
         "quality/alerts.yaml:3: quiet_hours: start and end are the same; leave quiet_hours out for none"),
        (ONE + 'quiet_hours: {start: "20:00", end: "07:00", zone: Berlin}\n',
         "quality/alerts.yaml:3: quiet_hours.zone: 'Berlin' is no time zone; write it as Europe/Berlin"),
        (ONE + "escalate: {after: 4h, to: mail}\n",
         "quality/alerts.yaml:3: escalate.after: '4h' is no ISO 8601 duration; write PT1H for an hour or P1D for a "
         "day"),
        (ONE + "escalate: {after: PT4H, to: boss}\n",
         "quality/alerts.yaml:3: escalate.to: there is no channel 'boss'; valid: mail"),
        ("- mail\n", "quality/alerts.yaml:1: expected keys such as `channels:`"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        load_alerts(project(tmp_path, text), {})
    assert str(caught.value) == message


def test_without_a_file_there_are_no_alerts(tmp_path: Path) -> None:
    assert load_alerts(Project(tmp_path, tmp_path, None, ""), {}) is None


def test_every_key_is_in_the_guide() -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    schema = json.dumps(Alerts.model_json_schema())
    keys = {name for part in [json.loads(schema), *json.loads(schema)["$defs"].values()]
            for name in part.get("properties", {})} - {"env", "file", "secret"}  # fmt: skip
    assert len(keys) > 15
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


def test_examples_in_the_guide_are_valid(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    examples = [part.split("```")[0] for part in text.split("```text\n# quality/alerts.yaml\n")[1:]]
    assert len(examples) >= 2
    declared: Any = {"payments": SimpleNamespace(source="payments"), "email": SimpleNamespace(source="email")}
    for number, example in enumerate(examples):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "quality" / "rules").mkdir(parents=True)
        (folder / "quality" / "rules" / "charge_without_invoice.sql").touch()
        (folder / "quality" / "alerts.yaml").write_text(example)
        assert load_alerts(Project(folder, folder / ".leat", None, ""), declared) is not None


def test_the_commands_show_channels_problems_and_messages(tmp_path: Path) -> None:
    leat = tally_project(tmp_path, "{fed: {checks: [{not_null: weight, severity: warn}]}}")
    then(leat, rows("fed", row(1, "one", weight=None)))
    without = leat("alerts")
    assert (without.returncode, "quality/alerts.yaml" in without.stderr) == (2, True)
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "alerts.yaml").write_text(
        "channels: {hook: {url: {env: HOOK}}, later: {url: {env: LATER}, required: false}}\ndefault: [hook, later]\n"
    )
    unset = leat("check")
    assert (unset.returncode, "channel hook" in unset.stdout) == (1, True)
    with webhook() as hook:
        checked = leat("check", HOOK=hook.url)
        assert checked.returncode == 0, checked.stdout
        assert "channel later: off, for LATER is not set" in checked.stdout
        tried = leat("alerts", "test", HOOK=hook.url)
        assert (tried.returncode, [each["title"] for each in hook.take()]) == (0, ["leat: test of hook"])
        run = leat("run", HOOK=hook.url)
        assert "✓ alert sent to hook: 1 new problem (tally.fed)" in run.stdout
        assert len(hook.take()) == 1
        said = json.loads(leat("alerts", "--json", HOOK=hook.url).stdout)
        assert said["channels"] == [{"channel": "hook", "state": "on"},
                                    {"channel": "later", "state": "off, its variable is not set"}]  # fmt: skip
        [problem], [message] = said["problems"], said["messages"]
        assert (problem["subject"], problem["sent_to"]) == ("tally.fed", ["hook"])
        assert (message["status"], message["attempts"], message["error"]) == ("sent", 1, None)
        (tmp_path / "quality" / "alerts.yaml").write_text("channels: {hook: {ulr: {env: HOOK}}}\n")
        wrong = leat("run", HOOK=hook.url)
        assert wrong.returncode == 0, "what is wrong with alerts fails no run"
        assert 'unknown key; did you mean "url"?' in wrong.stderr
    log = (tmp_path / ".leat" / "logs" / "leat.log").read_text()
    assert "alert sent to hook: leat: 1 new problem (tally.fed)" in log
    assert " apprise " not in log, "what Apprise logs may show a URL"


def test_a_run_with_no_news_imports_neither_apprise_nor_sqlglot(tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality" / "alerts.yaml").write_text(ONE)
    code = (
        "import os, sys\nsys.argv = ['leat', 'run']\nfrom leat.cli import main\n"
        "os._exit = lambda code: sys.exit(code)\n"
        "try:\n    main.main()\nfinally:\n    heavy = {'apprise', 'sqlglot', 'dagster', 'pandas'}\n"
        "    print(sorted({name.split('.')[0] for name in sys.modules} & heavy))\n"
    )
    command = [sys.executable, "-c", code]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=leat.env(), capture_output=True, text=True, check=False)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stdout + done.stderr


def test_the_schema_is_fresh() -> None:
    written = json.loads((ROOT / "quality" / "alerts.schema.json").read_text(encoding="utf-8"))
    assert written == alerts_schema(), "run: leat schema --write"
    jsonschema.Draft202012Validator.check_schema(written)
    declared = yaml.safe_load((ROOT / "quality" / "alerts.yaml").read_text(encoding="utf-8"))
    assert [error.message for error in jsonschema.Draft202012Validator(written).iter_errors(declared)] == []
