"""A draft as YAML, and as a file of the project, which is never written over another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leat.files import write_once
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project, name_problem, parse_declaration, read_declarations
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.runs import access
from leat.runs.connecting.draft import Draft
from leat.runs.workspace import Workspace

_SCHEMA = "# yaml-language-server: $schema=schema.json\n"
_WIDE = 100


class Taken(Exception):
    """There is a declaration of this name already."""


def free_name_problem(project: Project, name: str) -> str | None:
    """Return why an integration can't be called so; None if it can."""
    problem = name_problem(name)
    if problem is not None:
        return problem
    taken = {path.stem.lower() for path in project.declaration_paths()}
    return f"pipelines/{name}.yaml is there already; choose another name" if name in taken else None


def text_of(document: dict[str, Any]) -> str:
    """Return a declaration as YAML: small values in one line, as people write them."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

        def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
            flow = bool(mapping) and all(not isinstance(each, dict | list) for each in mapping.values())
            short = flow and len(str(mapping)) < _WIDE and mapping.keys() != document.keys()
            return super().represent_mapping(tag, mapping, flow_style=short)

        def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
            short = all(not isinstance(each, dict | list) for each in sequence) and len(str(sequence)) < _WIDE
            return super().represent_sequence(tag, sequence, flow_style=short)

    Dumper.add_representer(dict, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value))
    Dumper.add_representer(list, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value))
    return _SCHEMA + yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=_WIDE)


def draft_of(project: Project, draft: Draft, *, complete: bool = False) -> Declaration:
    """Return the declaration that a draft is.

    Args:
        project: the project.
        draft: the draft.
        complete: whether all must be there that a run needs; else what a trial proposes may be missing.

    Raises:
        DeclarationError: with every mistake in it.
    """
    path = _path(project, draft.name)
    return parse_declaration(text_of(draft.document), path, project.shown(path), draft=not complete)


def save(workspace: Workspace, draft: Draft) -> Path:
    """Write a draft into the project as ``pipelines/NAME.yaml``, durably, and record that in the audit log.

    Raises:
        DeclarationError: it has a mistake, or another declaration has one, so that no process would take it over.
        Taken: there is such a file.
        OSError: it can't be written.
    """
    project = workspace.project
    problem = free_name_problem(project, draft.name)
    if problem is not None:
        raise Taken(problem)
    declaration = draft_of(project, draft, complete=True)
    _, diagnostics = read_declarations(project, workspace.overrides)
    if diagnostics:
        raise DeclarationError(diagnostics)
    path, content = _path(project, draft.name), text_of(draft.document).encode()
    if write_once(path, content, durable=True, mode=0o644) != content:
        msg = f"{project.shown(path)} is there already; choose another name"
        raise Taken(msg)
    what = {"integration": draft.name, "source": declaration.source, "driver": declaration.driver}
    access.record(workspace, "integration.added", what)
    return path


def _path(project: Project, name: str) -> Path:
    if name_problem(name) is not None:  # a name with a slash would lead elsewhere
        raise DeclarationError([f"name: {name_problem(name)}"])
    return project.folder / "pipelines" / f"{name}.yaml"
