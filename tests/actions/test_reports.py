"""A mail that an action sent, loaded from the recipient's mailbox and the control store: the report shows both."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import yaml

from leat.assets.build import build
from leat.assets.model_files import load_models
from leat.pipelines.declare.project import Project, load_declarations
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.run import run_integrations
from leat.runs.recorder import Recorder
from leat.runs.recorder import register as register_declarations
from leat.warehouse.connect import open_warehouse
from tests.kit.built import Row
from tests.kit.loaded import REPOSITORY
from tests.kit.mail_transfer import ANN, PASSWORD, SHOP, Server, mail_server
from tests.kit.offices import Desk, desk_of

MODELS = ("email_messages", "action_mails", "action_success")


def test_a_mail_and_its_answer_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    for name in ("LEAT_CONTROL", "LEAT_HOME", "LEAT_PROFILE"):  # the control store is the project's own
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    with mail_server(tmp_path / "mail") as server:
        connection = server.connection(witness={"address": SHOP})
        connection["accounts"].append({"username": ANN, "password": {"env": "MAIL_PASSWORD"}})
        declared = {"source": "email", "driver": "imap", "connection": connection}
        with desk_of(folder, "email", declared) as desk:
            row = desk.act("send", to=ANN, subject="Your order", text="Dear Ann, thank you.")
            assert row.state == "confirmed"
            answer(server, f"{row.id}@x.example")
            tables = reports(desk)
    [mail] = tables["action_mails"]
    names = ("action_id", "message_id", "stored", "recipients", "arrived", "bounced", "answers")
    assert [mail[name] for name in names] == [row.id, f"{row.id}@x.example", True, 1, 1, 0, 1]
    [day] = tables["action_success"]
    assert (day["verb"], day["approved"], day["succeeded"], day["success_rate"]) == ("send", 1, 1, 1)


def answer(server: Server, message_id: str) -> None:
    """Put Ann's answer into the shop's mailbox."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = ANN, SHOP, "Re: Your order", "<re@far.example>"
    mail["In-Reply-To"] = mail["References"] = f"<{message_id}>"
    mail.set_content("Thanks!\n")
    with server.signed_in(SHOP) as client:
        client.append("INBOX", "", "", mail.as_bytes())


def reports(desk: Desk) -> dict[str, list[Row]]:
    """Load mailboxes and control store, and return the rows of the models."""
    folder, store = desk.office.project.folder, desk.office.store
    (folder / "pipelines" / "platform.yaml").write_text(yaml.safe_dump({"source": "platform", "driver": "sql"}))
    (folder / "assets" / "models").mkdir(parents=True)
    for name in MODELS:
        shutil.copy(REPOSITORY / "assets" / "models" / f"{name}.sql", folder / "assets" / "models")
    project = Project(folder, folder / ".leat", None, desk.office.project.control_url)
    declarations = load_declarations(project)
    register_declarations(store, declarations)
    warehouse, recorder = open_warehouse(None, project.state), Recorder(store, "cli")
    engine = Engine(project, warehouse, declarations, observe=recorder.on_phase, called=recorder.on_call)
    results = run_integrations(engine, ["email", "platform"], Request(), recorder.on_result)
    assert [result.status for result in results] == ["loaded", "loaded"], results
    tables = {}
    with warehouse.transaction() as session:
        for built in build(session, load_models(project, declarations), datetime.now(UTC)):
            assert built.status == "built", built
            columns = list(session.columns("analytics", built.name))
            rows = session.execute(f"SELECT * FROM analytics.{built.name}")
            tables[built.name] = [dict(zip(columns, each, strict=True)) for each in rows]
    return tables
