"""The door from the command line to Dagster, which is imported only for a project that has an instance of it."""

from __future__ import annotations

from pathlib import Path

from leat.dagster_project.instance import has_instance, prepare_instance
from leat.runs.result import RunResult
from leat.runs.workspace import Workspace


def report_run(workspace: Workspace, result: RunResult) -> None:
    """Report what the command line did, if the project has an instance, so that its UI shows every run."""
    if has_instance(workspace.project):
        from leat.dagster_project.report import report

        report(workspace, result.integrations, result.refreshed, result.publication.explanation)


def open_instance(workspace: Workspace) -> Path:
    """Return the folder of the instance; one that is new shows the tables that have been loaded before."""
    is_new = not has_instance(workspace.project)
    folder = prepare_instance(workspace.project)
    if is_new:
        from leat.dagster_project.report import report_tables

        report_tables(workspace)
    return folder
