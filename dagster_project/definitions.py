"""The project as Dagster sees it: ``dagster dev -m leat.dagster_project.definitions``, on ``LEAT_PROJECT``.

Loading it reads files and nothing else: no network, no secrets, and neither dlt nor Great Expectations.
"""

from __future__ import annotations

from leat.dagster_project.assembled import definitions
from leat.dagster_project.compiled import compile_folder, project_folder

defs = definitions(compile_folder(project_folder()))
