"""What ``leat check`` asks of webhooks: whether their secrets and addresses are there, and can be such."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from leat.hooks.out.declaration import Webhooks, webhooks_path
from leat.hooks.out.signing import read_signer
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.pipelines.declare.yaml_file import Loc, read_yaml
from leat.sources.driver import SetupTest
from leat.sources.egress import check_url
from leat.sources.errors import NotConfigured
from leat.sources.settings import Named, read_secret, read_setting


def hook_tests(declaration: Declaration, project: Project) -> Iterator[SetupTest]:
    """Yield a finding for the webhooks that a system sends, if it is declared that it does."""
    hooks, name, folder = declaration.hooks, declaration.name, project.folder
    if hooks is None:
        return
    reads: list[tuple[Loc, Callable[[], object]]] = [
        (("hooks", "secrets", number), partial(read_secret, secret, name, folder))
        for number, secret in enumerate(hooks.secrets)
    ]
    if hooks.url is not None:
        reads.append((("hooks", "url"), partial(read_setting, hooks.url, name, folder)))
    yield _finding("webhooks", declaration.path, project, reads, f"their secrets are there, for /hooks/{name}")


def endpoint_tests(webhooks: Webhooks, project: Project) -> Iterator[SetupTest]:
    """Yield one finding for each endpoint that leat sends webhooks to; one that is off is fine."""
    for name, endpoint in webhooks.endpoints.items():
        what = f"endpoint {name}"
        if endpoint.is_off:
            yield SetupTest(what, ok=True, detail=f"off, for {endpoint.url.name} is not set")
            continue
        at: Loc = ("endpoints", name)
        reads: list[tuple[Loc, Callable[[], object]]] = [
            ((*at, "url"), partial(_read_address, endpoint.url, name, project.folder))
        ]
        for number, secret in enumerate(endpoint.secrets):
            reads.append(((*at, "secrets", number), partial(read_signer, name, secret, project.folder)))
        good = f"its address and secrets are there; `leat webhooks test {name}` sends a message"
        yield _finding(what, webhooks_path(project), project, reads, good)


def _read_address(url: Named, name: str, folder: Path) -> None:
    """See that the address of an endpoint is there, and that leat may connect to it."""
    check_url(name, read_secret(url, f"webhook {name}", folder))


def _finding(
    what: str, path: Path, project: Project, reads: list[tuple[Loc, Callable[[], object]]], good: str
) -> SetupTest:
    """Return whether all can be read; if not, each that can't, with its line."""
    shown, wrong = project.shown(path), []
    for loc, read in reads:
        try:
            read()
        except NotConfigured as error:
            line = read_yaml(path, shown).line(loc)
            wrong.append(f"{shown}:{line}: {error.asked}: {error.got}. Next: {error.next_step}")
    return SetupTest(what, not wrong, "; ".join(wrong) or good)
