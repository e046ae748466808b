"""The template files of a project: a header in YAML between two lines ``---``, then MJML or HTML.

::

    templates/receipt.mjml    header, then MJML, which becomes HTML that mail programs show alike; or
    templates/receipt.html    header, then HTML, whose styles become attributes
    templates/receipt.txt     the plain text; without it, leat derives it from the HTML
    templates/_foot.mjml      a part that others name: <mj-include path="_foot.mjml" />

MJML and styles are converted once, with the expressions of the template in them; filling in is Jinja's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

_FENCE = "---\n"
_INLINED: dict[str, Any] = {"keep_style_tags": True, "load_remote_stylesheets": False}
"""Media queries stay in the head, for phones and dark screens; nothing is fetched."""
_SUFFIXES = (".mjml", ".html")


class BadTemplate(ValueError):
    """A template can't be used; the text names the file and says what is wrong."""


class Header(BaseModel):
    """The header of a template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = Field(min_length=1, description="Subject, with expressions as in the body.")
    description: str = Field(default="", description="What it is for.")
    bulk: bool = Field(default=False, description="Whether it goes to many, so that recipients can unsubscribe.")
    example: dict[str, Any] = Field(default_factory=dict, description="Data to check and preview it with.")


@dataclass(frozen=True, slots=True)
class Template:
    """A template.

    Attributes:
        name: name of its file, without the ending.
        path: its file.
        header: subject, description, example.
        html: HTML with expressions.
        text: plain text with expressions; None if it is derived.
        warnings: what the conversion of MJML complains about.
    """

    name: str
    path: Path
    header: Header
    html: str
    text: str | None
    warnings: tuple[str, ...] = ()


def template_names(folder: Path) -> list[str]:
    """Return the names of the templates in a folder, sorted."""
    names = {path.stem for suffix in _SUFFIXES for path in folder.glob(f"*{suffix}")}
    return sorted(name for name in names if not name.startswith("_"))


def read_template(folder: Path, name: str) -> Template:
    """Return a template.

    Raises:
        BadTemplate: it isn't there, or its header or its MJML is wrong.
    """
    there = template_names(folder)
    if name not in there:  # also what would lead to another folder
        others = f"there are {', '.join(there)}" if there else f"there are none in {folder}"
        msg = f"no template {name!r}; {others}"
        raise BadTemplate(msg)
    files = [path for suffix in _SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
    if len(files) > 1:
        msg = f"{files[0].name} and {files[1].name}: remove one of them"
        raise BadTemplate(msg)
    text = folder / f"{name}.txt"
    try:
        written = text.read_text(encoding="utf-8") if text.is_file() else None
        parts = tuple((path.name, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("_*.mjml")))
        return _read(files[0], files[0].read_text(encoding="utf-8"), written, parts)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{files[0].name}: it can't be read ({type(error).__name__})"
        raise BadTemplate(msg) from error


@lru_cache(maxsize=256)
def _read(path: Path, content: str, text: str | None, parts: tuple[tuple[str, str], ...]) -> Template:
    header, body = _split(path, content)
    if path.suffix == ".mjml":
        html, warnings = _from_mjml(path, body, dict(parts))
    else:
        html, warnings = _inlined(path, body), ()
    return Template(path.stem, path, header, html, text, warnings)


def _split(path: Path, content: str) -> tuple[Header, str]:
    begins, _, rest = content.partition(_FENCE)
    header, fence, body = rest.partition(f"\n{_FENCE}")
    if begins.strip() or not fence:
        msg = f"{path.name}: begin with a header between two lines ---; it needs at least `subject:`"
        raise BadTemplate(msg)
    try:
        given = yaml.safe_load(header)
        return Header.model_validate(given if isinstance(given, Mapping) else {}), body
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 2
        msg = f"{path.name}:{line}: the header is no YAML"
        raise BadTemplate(msg) from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        msg = f"{path.name}: {wrong}"
        raise BadTemplate(msg) from None


def _from_mjml(path: Path, body: str, parts: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    import mrml

    options = mrml.ParserOptions(include_loader=mrml.memory_loader(parts))
    try:
        # without fonts of its own: mrml would load some from a server, which then sees who opens the mail
        made = mrml.to_html(body.strip(), options, mrml.RenderOptions(fonts={}))
    except OSError as error:  # what mrml raises for a mistake
        msg = f"{path.name}: {error}"
        raise BadTemplate(msg) from None
    return made.content, tuple(str(each) for each in made.warnings)


def _inlined(path: Path, body: str) -> str:
    import css_inline

    inliner = css_inline.CSSInliner(**_INLINED)
    try:
        return str(inliner.inline(body))
    except (ValueError, css_inline.InlineError) as error:
        msg = f"{path.name}: {error}"
        raise BadTemplate(msg) from None
