"""Reads ``policies/*.yaml`` and compiles it; every mistake has its file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from leat.security.access import VERBS, Verb
from leat.security.default_policy import DEFAULT_POLICY
from leat.security.policy import Policy, Rule, Selector
from leat.security.principal import from_role_up, up_to_role

if TYPE_CHECKING:  # a project without policies shouldn't pay for pydantic and YAML
    from leat.pipelines.declare.declaration import Declaration
    from leat.pipelines.declare.project import Project
    from leat.pipelines.declare.yaml_file import Loc, YamlFile
    from leat.security.grants import Grants
    from leat.security.policy_declaration import AuditDeclared, DeclaredRule, PolicyFile, SignInDeclared

TAGS = ("personal", "money")


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold that a file declares.

    Attributes:
        place: file and line.
        identities: of the person, as they are written, the first one first.
        reason: why.
        until: the last day; None until it is removed from the file.
    """

    place: str
    identities: tuple[str, ...]
    reason: str
    until: date | None

    def holds_on(self, day: date) -> bool:
        """Return whether it holds on a day."""
        return self.until is None or day <= self.until


@dataclass(frozen=True, slots=True)
class Security:
    """What ``policies/`` says.

    Attributes:
        policy: who may do what.
        sign_in: how people sign in; None where no identity provider is declared.
        audit: where checkpoints of the audit log go; None for nowhere.
        grants: what holds for people who connect to the warehouse itself; None where nobody is granted anything.
        holds: whose data is on legal hold, also those whose last day has passed.
    """

    policy: Policy = DEFAULT_POLICY
    sign_in: SignInDeclared | None = None
    audit: AuditDeclared | None = None
    grants: Grants | None = None
    holds: tuple[Hold, ...] = ()


def policy_paths(project: Project) -> list[Path]:
    """Return the files of policies, sorted; the folder need not be there."""
    folder = project.folder / "policies"
    return sorted(path for path in folder.glob("*.y*ml") if not path.name.startswith("."))


def declares_grants(project: Project) -> bool:
    """Return whether a file in ``policies/`` may declare grants; no YAML is read for that."""
    return any(b"grants:" in path.read_bytes() for path in policy_paths(project))


def load_security(project: Project, declarations: Mapping[str, Declaration] | None = None) -> Security:
    """Return what the files in ``policies/`` say; what leat comes with, where there are none.

    Args:
        project: the project.
        declarations: with them, names of integrations and streams are checked, too. A command that only asks what is
            allowed leaves that out: a rule about an integration that is no longer there stops nobody.

    Raises:
        DeclarationError: with all mistakes of all files. Nothing is allowed then.
    """
    paths = policy_paths(project)
    if not paths:
        return Security()
    from leat.pipelines.declare.diagnostics import diagnostic_line
    from leat.pipelines.declare.yaml_file import DeclarationError

    files: list[tuple[YamlFile, str, PolicyFile]] = []
    diagnostics: list[str] = []
    for path in paths:
        try:
            files.append(_read(path, project.shown(path)))
        except DeclarationError as error:
            diagnostics += error.diagnostics
    for file, shown, declared in files:
        wrong = [*_unknown(declared, declarations)]
        diagnostics += [diagnostic_line(file, shown, loc, text) for loc, text in wrong]
    for key in ("sign_in", "audit", "keys", "grants"):
        for file, shown, _ in [each for each in files if getattr(each[2], key) is not None][1:]:
            diagnostics.append(diagnostic_line(file, shown, (key,), "is in another file already"))
    compiled = None if diagnostics else _compiled(files)
    if compiled is not None and compiled.grants is not None and declarations is not None:
        from leat.security.grants import grant_diagnostics

        diagnostics += grant_diagnostics(compiled.grants, declarations, project)
    if compiled is None or diagnostics:
        raise DeclarationError(diagnostics)
    return compiled


def _read(path: Path, shown: str) -> tuple[YamlFile, str, PolicyFile]:
    from leat.pipelines.declare.declared_file import check_file_name, read_declared
    from leat.security.policy_declaration import PolicyFile

    check_file_name(path, shown)
    file, declared = read_declared(path, shown, PolicyFile, "rules")
    return file, shown, declared


def _unknown(declared: PolicyFile, declarations: Mapping[str, Declaration] | None) -> Iterator[tuple[Loc, str]]:
    """Yield names that nothing has: a rule with one would match nothing, unnoticed."""
    from leat.pipelines.declare.diagnostics import meant

    for number, rule in enumerate(declared.rules):
        named: dict[str, tuple[tuple[str, ...], list[str]]] = {
            "tag": (rule.on.tag, list(TAGS)),
            "without": (rule.on.without, list(TAGS)),
        }
        if declarations is not None:
            streams = [f"{d.name}.{stream.name}" for d in declarations.values() for stream in d.every_stream()]
            named |= {"integration": (rule.on.integration, list(declarations)), "stream": (rule.on.stream, streams)}
        for key, (values, there) in named.items():
            for i, value in enumerate(values):
                if value not in there:
                    what = "no such tag" if key in ("tag", "without") else f"no {key} {value!r} is declared"
                    yield ("rules", number, "on", key, i), f"{what}{meant(value, there)}"


def _compiled(files: list[tuple[YamlFile, str, PolicyFile]]) -> Security:
    rules: list[Rule] = []
    local: dict[str, str] = {}
    for file, shown, declared in files:
        rules += [_rule(f"{shown}:{file.line(('rules', number))}", rule) for number, rule in enumerate(declared.rules)]
        local |= declared.local_accounts
    if all(declared.defaults for _, _, declared in files):
        rules += DEFAULT_POLICY.rules
    first = {
        key: next((getattr(each, key) for _, _, each in files if getattr(each, key) is not None), None)
        for key in ("sign_in", "audit")
    }
    policy = Policy(tuple(rules), local)  # type: ignore[arg-type] # they are validated
    holds = [
        Hold(f"{shown}:{file.line(('holds', n))}", (hold.person, *hold.also), hold.reason, hold.until)
        for file, shown, declared in files
        for n, hold in enumerate(declared.holds)
    ]
    return Security(policy, first["sign_in"], first["audit"], _grants_of(files), tuple(holds))


def _grants_of(files: list[tuple[YamlFile, str, PolicyFile]]) -> Grants | None:
    for file, shown, declared in files:
        if declared.grants is not None:
            from leat.security.grants import compile_grants

            return compile_grants(file, shown, declared.grants)
    return None


def _rule(name: str, declared: DeclaredRule) -> Rule:
    on = declared.on
    selector = Selector(frozenset(on.kind), frozenset(on.name), frozenset(on.integration), frozenset(on.stream),
                        frozenset(on.tag), frozenset(on.without), on.own)  # fmt: skip
    if declared.from_ is not None:
        return Rule(name, "permit", from_role_up(declared.from_), _verbs(declared.permit), selector, declared.because)
    assert declared.up_to is not None  # noqa: S101 - the declaration has one of the two
    return Rule(name, "forbid", up_to_role(declared.up_to), _verbs(declared.forbid), selector, declared.because)


def _verbs(declared: tuple[Verb | str, ...]) -> frozenset[Verb]:
    return frozenset(VERBS) if "all" in declared else frozenset(each for each in VERBS if each in declared)
