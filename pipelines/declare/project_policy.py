"""``project:`` in ``policies/*.yaml``: what a project may do on this machine, before any of its own code is imported.

Whoever operates leat may say the same in a file outside the project, which ``LEAT_OPERATOR_POLICY`` names. Where
several files say something, all of them hold.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from leat.pipelines.declare.declared_file import read_declared, yaml_paths
from leat.pipelines.declare.declared_hosts import place_of_host
from leat.pipelines.declare.values import Flag, Names
from leat.pipelines.declare.yaml_file import DeclarationError, YamlFile, read_yaml
from leat.sources.driver import add_sources, forbid_sources
from leat.sources.egress import HostList, limit_hosts

VARIABLE = "LEAT_OPERATOR_POLICY"


class ProjectPolicy(BaseModel):
    """What a project may do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Literal["permit", "forbid"] = Field(
        default="permit", description="Whether the project's own sources/ may run; they are code with leat's rights."
    )
    hosts: Names | None = Field(
        default=None,
        description="Hosts that leat may connect to: names, *.example.com, addresses, networks; any without this key.",
    )
    require_tls: Flag = Field(
        default=False, description="Whether leat connects to other machines by TLS, or SSH, alone."
    )


class OperatorPolicy(BaseModel):
    """The file that ``LEAT_OPERATOR_POLICY`` names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: ProjectPolicy = Field(description="What projects on this machine may do.")


@dataclass(frozen=True, slots=True)
class Confined:
    """What all files together say.

    Attributes:
        no_sources: why the project's own sources may not run; None if they may.
        hosts: the lists that a host has to be in.
        tls: what demands TLS; None if nothing does.
    """

    no_sources: str | None = None
    hosts: tuple[HostList, ...] = ()
    tls: str | None = None


def confine(folder: Path) -> None:
    """Let this process do for a project what the policies permit: run its own sources, connect to hosts.

    Raises:
        DeclarationError: the file that ``LEAT_OPERATOR_POLICY`` names has a mistake.
    """
    confined = read_confined(folder)
    limit_hosts(confined.hosts, partial(place_of_host, folder), confined.tls)
    if confined.no_sources is None:
        add_sources(folder / "sources")
    else:
        forbid_sources(folder / "sources", confined.no_sources)


def read_confined(folder: Path) -> Confined:
    """Return what the policies of a project, and of whoever operates leat, say about it.

    A file with a mistake permits nothing; ``leat check`` reports the mistake.

    Raises:
        DeclarationError: the file that ``LEAT_OPERATOR_POLICY`` names can't be read or has a mistake.
    """
    said: list[Confined] = []
    for path in yaml_paths(folder / "policies"):
        shown = str(path.relative_to(folder))
        try:
            if b"project" in path.read_bytes():  # parsing takes a millisecond
                said += _in_policies(path, shown)
        except (DeclarationError, OSError, ValueError):
            said.append(Confined(f"{shown} has a mistake", (HostList((), shown),)))
    operator = os.environ.get(VARIABLE)
    if operator:
        file, declared = read_declared(Path(operator), operator, OperatorPolicy, "project")
        said.append(_confined(file, operator, declared.project))
    no_sources = next((each.no_sources for each in said if each.no_sources is not None), None)
    tls = next((each.tls for each in said if each.tls is not None), None)
    return Confined(no_sources, tuple(each for one in said for each in one.hosts), tls)


def _in_policies(path: Path, shown: str) -> list[Confined]:
    file = read_yaml(path, shown)
    value = file.value.get("project") if isinstance(file.value, dict) else None
    return [] if value is None else [_confined(file, shown, ProjectPolicy.model_validate(value))]


def _confined(file: YamlFile, shown: str, policy: ProjectPolicy) -> Confined:
    def where(key: str) -> str:
        return f"{shown}:{file.line(('project', key))}"

    hosts = () if policy.hosts is None else (HostList(policy.hosts, where("hosts")),)
    tls = where("require_tls") if policy.require_tls else None
    return Confined(f"{where('sources')} forbids them" if policy.sources == "forbid" else None, hosts, tls)
