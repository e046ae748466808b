"""Automations in Dagster: an asset for each, with what its runs planned, and a sensor that plans and sends."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from leat.control.outbox import read_actions
from leat.dagster_project.assembled import definitions
from leat.dagster_project.compiled import VIOLATIONS, compile_folder
from leat.runs.automating import enable
from tests.kit.acting import desk_server
from tests.kit.automating import MARK_BAD, Automated

KEY = dg.AssetKey(["automations", "mark_bad"])


def test_an_automation_is_an_asset_and_a_sensor_sends_what_it_planned(tmp_path: Path) -> None:
    with desk_server() as desk:
        project = Automated(tmp_path, f"sqlite:///{tmp_path / '.leat' / 'control.db'}", desk.url)
        project.declare()
        project.write(MARK_BAD + "approve: {auto: count < 5}\n")
        project.has("bad", "good")
        project.run()
        shown = definitions(compile_folder(tmp_path))
        assert shown.resolve_asset_graph().get(KEY).parent_keys == {VIOLATIONS, dg.AssetKey(["tally", "scanned"])}
        assets = [each for each in shown.assets or [] if isinstance(each, dg.AssetsDefinition) and KEY in each.keys]
        with dg.DagsterInstance.ephemeral() as instance, project.open() as workspace:
            done = dg.materialize(assets, instance=instance)
            [event] = done.get_asset_materialization_events()
            metadata = event.step_materialization_data.materialization.metadata
            assert (metadata["mode"].value, metadata["planned"].value, sum(desk.deeds.values())) == ("simulate", 1, 0)
            enable(workspace, workspace.automations["mark_bad"])
            sensor = shown.get_sensor_def("automations")
            [skipped] = [sensor(dg.build_sensor_context(instance))]
            assert "mark_bad: 1 planned" in skipped.skip_message  # type: ignore[union-attr]
            assert [row.state for row in read_actions(workspace.store)] == ["done"] or sum(desk.deeds.values()) == 1
            assert len(instance.fetch_materializations(KEY, limit=5).records) == 2
