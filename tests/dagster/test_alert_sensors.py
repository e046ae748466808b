"""The sensors of alerts, evaluated as Dagster does it: they say what the command line says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from leat.dagster_project.assembled import definitions
from leat.dagster_project.compiled import Compiled
from leat.dagster_project.sensors import alert_sensors
from leat.runs.workspace import Workspace
from tests.kit.alerting import Office
from tests.kit.project import row, rows
from tests.kit.webhook import Webhook, webhook

ONE = "channels: {hook: {url: {env: HOOK}}}\ndefault: hook\n"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as started:
        monkeypatch.setenv("HOOK", started.url)
        yield started


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, f"sqlite:///{tmp_path}/control.db")
    for path in (tmp_path / "quality" / "rules").iterdir():
        path.unlink()
    made.declare(ONE)
    yield made
    made.store.dispose()


def compiled_of(office: Office) -> Compiled:
    return Compiled(Workspace(office.project, offline=True), retry_waits=())


def sensor(office: Office, name: str) -> dg.SensorDefinition:
    return next(each for each in alert_sensors(compiled_of(office)) if each.name == name)


def said(result: object) -> str:
    return str(getattr(result, "skip_message", result))


def evaluate(office: Office) -> str:
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance=instance) as context:
        return said(sensor(office, "alerts").evaluate_tick(context))


def test_sensors_run_where_alerts_are_declared(office: Office) -> None:
    sensors = {each.name: each for each in definitions(compiled_of(office)).sensors or ()}
    assert set(sensors) == {"alerts_of_failed_runs", "alerts"}
    assert {each.default_status for each in sensors.values()} == {dg.DefaultSensorStatus.RUNNING}
    assert {each.minimum_interval_seconds for each in sensors.values()} == {30, 60}
    (office.folder / "quality" / "alerts.yaml").unlink()
    assert not definitions(compiled_of(office)).sensors


def test_the_sensor_reports_checks_and_violations_once(office: Office, hook: Webhook) -> None:
    assert evaluate(office) == "there is nothing new to send"
    office.violate(1)
    office.check("not_null_weight", ok=False)
    assert evaluate(office) == "alert sent to hook: leat: 2 new problems (tally.fed and 1 more)"
    assert evaluate(office) == "there is nothing new to send"
    assert len(hook.take()) == 1


def test_the_sensor_reports_age(office: Office, hook: Webhook) -> None:
    office.tally.declare("{fed: {fresh_within: PT1S}}")
    office.ran("loaded")
    with office.store.begin() as connection:
        connection.exec_driver_sql("UPDATE run SET ended_at = '2026-01-01 00:00:00.000000'")
    assert evaluate(office) == "alert sent to hook: leat: 1 new problem (tally)"
    assert "tally is older than fresh_within allows" in hook.take()[0]["message"]


def test_a_failed_run_of_dagster_is_reported_and_so_is_its_recovery(office: Office, hook: Webhook) -> None:
    office.tally.then({"do": "fail", "transient": False})
    defs = definitions(compiled_of(office))
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("tally_job").execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        event = result.get_run_failure_event()
        context = dg.build_run_status_sensor_context(
            sensor_name="alerts_of_failed_runs",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=event,
        ).for_run_failure()
        failure = sensor(office, "alerts_of_failed_runs")
        assert said(failure(context)).startswith("alert sent to hook: leat: 1 new problem (tally)")
        assert "the last run failed" in hook.take()[0]["message"]
        office.tally.script.write_text("")
        office.tally.then(rows("fed", row(1, weight=1.0)))
        defs.resolve_job_def("tally_job").execute_in_process(instance=instance)
    assert evaluate(office) == "alert sent to hook: leat: 1 resolved problem (tally)"


def test_the_command_line_and_the_sensor_share_what_they_sent(office: Office, hook: Webhook) -> None:
    office.violate(1)
    office.pass_()
    assert evaluate(office) == "there is nothing new to send"
    office.declare(ONE + "rooutes: []\n")
    with pytest.raises(Exception, match="rooutes: unknown key") as caught:
        evaluate(office)
    assert "routes" in str(caught.value)
