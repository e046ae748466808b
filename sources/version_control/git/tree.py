"""Files at the head of the default branch: the difference between the tree that was read and the one that is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath

from leat.sources.events import Delete, Event
from leat.sources.version_control.git.log import split_at_nul
from leat.sources.version_control.git.mirror import Mirror
from leat.sources.version_control.git.program import Conversation
from leat.sources.version_control.git.rows import Table
from leat.sources.version_control.git.text import text
from leat.sources.version_control.streams import FILES

SUBMODULE, SYMLINK, EXECUTABLE, NOTHING = "160000", "120000", "100755", "000000"
"""Modes of the entries of a tree, octal, as git writes them."""
_MANY_DELETES = 5_000
_NAMES = {"dockerfile": "Dockerfile", "makefile": "Makefile", "cmakelists.txt": "CMake", "jenkinsfile": "Groovy"}
_EXTENSIONS = """
Assembly asm s; Batchfile bat cmd; C c h; C# cs; C++ cc cpp cxx hh hpp hxx; CSS css; CSV csv tsv; Clojure clj cljs;
CoffeeScript coffee; Cuda cu cuh; Dart dart; Elixir ex exs; Elm elm; Emacs Lisp el; Erlang erl hrl; F# fs fsx;
Fortran f f90 f95; Go go; GraphQL graphql gql; Groovy groovy gradle; HCL tf hcl; HTML html htm; Haskell hs; INI ini cfg;
JSON json; Java java; JavaScript js mjs cjs jsx; Jinja j2 jinja; Julia jl; Jupyter Notebook ipynb; Kotlin kt kts;
Less less; Lua lua; MATLAB m; Markdown md markdown; Nix nix; OCaml ml mli; PHP php; Perl pl pm; PowerShell ps1;
Protocol Buffers proto; Python py pyi; R r; Ruby rb; Rust rs; SCSS scss sass; SQL sql; SVG svg; Scala scala sbt;
Shell sh bash zsh; Starlark bzl; Svelte svelte; Swift swift; TOML toml; TeX tex; Text txt; TypeScript ts tsx mts cts;
Vue vue; XML xml xsd xsl; YAML yaml yml; Zig zig; reStructuredText rst
"""


def _languages() -> dict[str, str]:
    by_extension: dict[str, str] = {}
    for entry in _EXTENSIONS.replace("\n", " ").split(";"):
        words = entry.split()
        start = next(i for i, word in enumerate(words) if i and word.islower())
        by_extension |= {f".{word}": " ".join(words[:start]) for word in words[start:]}
    return by_extension


_LANGUAGES = _languages()


def language(path: str) -> str | None:
    """Return the language of a file, by its name or extension; None if unknown."""
    name = PurePosixPath(path).name.lower()
    return _NAMES.get(name) or _LANGUAGES.get(PurePosixPath(name).suffix)


def file_rows(mirror: Mirror, name: str, old: str | None, new: str | None) -> Iterator[Event]:
    """Yield what differs between two heads; without the old one, all files.

    Args:
        mirror: the mirror.
        name: the repository.
        old: commit whose files were read; None, or no longer in the mirror, for none.
        new: commit at head now; None when there is none any more.

    Raises:
        Damaged: the mirror is damaged.
    """
    empty = text(mirror.git.run("hash-object", "-t", "tree", "--stdin")).strip()
    if old is None or new is None:
        yield Delete(FILES.name, {"repository": name})
    if new is None:
        return
    # Renames would only hide which path is gone.
    entries = split_at_nul(mirror.git.stream("diff-tree", "-r", "-z", "--raw", "--no-renames", old or empty, new))
    table, deletes = Table(FILES), 0
    with mirror.git.conversation("cat-file", "--batch-check=%(objectsize)") as sizes:
        while some := list(islice(entries, 2 * sizes.AT_ONCE)):
            present = []
            for raw, path in zip(some[::2], some[1::2], strict=True):
                _, mode, _, blob, status = text(raw).split(" ")
                if status == "D":
                    deletes += 1
                    yield Delete(FILES.name, {"repository": name, "path": text(path)})
                else:
                    present.append((text(path), mode, blob))
            _add(table, name, present, sizes)
            yield from table.full()
            if deletes > _MANY_DELETES:
                break
    if deletes > _MANY_DELETES:  # cheaper than that many deletes, and the same in the end
        yield from file_rows(mirror, name, None, new)
        return
    yield from table.rest()


def _add(table: Table, name: str, present: list[tuple[str, str, str]], sizes: Conversation) -> None:
    asked = [blob for _, mode, blob in present if mode != SUBMODULE]
    sizes.ask(asked)
    texts = iter([text(sizes.line()) for _ in asked])
    for path, mode, blob in present:
        size = None if mode == SUBMODULE else next(texts)
        kind = (mode == EXECUTABLE, mode == SYMLINK, mode == SUBMODULE)
        spoken = None if mode in (SUBMODULE, SYMLINK) else language(path)
        table.add((name, path, int(size) if size and size.isdigit() else None, mode, blob, spoken, *kind))
