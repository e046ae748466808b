"""Objects that an action makes: merge commits, commits that revert, tags. The same plan makes the same objects.

``made`` is how, as JSON: ``before``, the texts of commits that are needed first; ``merge``, the two commits whose trees
are merged, or null; ``object``, type and text of the object that is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leat.sources.actions import Refused
from leat.sources.errors import Outdated
from leat.sources.version_control.git.actions.repositories import Fetched
from leat.sources.version_control.git.program import git_version
from leat.sources.version_control.git.text import text

_CAN_MERGE = (2, 39)


def make(at: Fetched, made: Mapping[str, Any], oid: str) -> None:
    """Make an object again.

    Raises:
        Outdated: another one comes out, for example with another version of git.
    """
    for commit in made["before"]:
        write_object(at, "commit", commit)
    if made["merge"] is not None:
        merge_trees(at, *made["merge"])
    if write_object(at, *made["object"]) != oid:
        asked, got = "make the commit for", "git makes another one than the plan shows"
        raise at.remote.failed(Outdated, asked, got, "plan it again")


def write_object(at: Fetched, kind: str, content: str) -> str:
    """Write an object and return its name."""
    return text(at.mirror.git.run("hash-object", "-t", kind, "-w", "--stdin", given=content.encode())).strip()


def commit_text(tree: str, parents: tuple[str, ...], author: str, seconds: int, message: str) -> str:
    """Return the content of a commit (git-commit-tree(1)): same content, same name."""
    by = f"{author} {seconds} +0000"
    heads = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {by}", f"committer {by}"]
    return "\n".join(heads) + "\n\n" + message


def tag_text(oid: str, kind: str, name: str, author: str, seconds: int, message: str) -> str:
    """Return the content of a tag (git-mktag(1))."""
    return f"object {oid}\ntype {kind}\ntag {name}\ntagger {author} {seconds} +0000\n\n{message}"


def with_trailer(message: str, action: str) -> str:
    """Return a message that says which action made it (git-interpret-trailers(1))."""
    return f"{message.strip()}\n\nLeat-Action: {action}\n"


def merge_trees(at: Fetched, onto: str, theirs: str) -> tuple[str, list[str]]:
    """Merge two commits as git does, without a work tree; returns the tree and the paths in conflict.

    Raises:
        Refused: git is too old, the history isn't complete, or the commits have none in common.
    """
    if git_version() < _CAN_MERGE:
        is_now = ".".join(map(str, git_version()))
        msg = f"git {is_now} can't do this: install git 2.39 or newer on the machine that runs leat"
        raise Refused(msg)
    if at.mirror.shallow():
        msg = f"{at.remote.name} has no complete history, so that nothing can be merged in it"
        raise Refused(msg)
    done = at.mirror.git.finish("merge-tree", "--write-tree", "--no-messages", "--name-only", "-z", onto, theirs)
    if done.returncode not in (0, 1):
        msg = f"git can't merge {theirs[:10]} into {onto[:10]}: they have no history in common"
        raise Refused(msg)
    tree, *paths = done.stdout.split(b"\0")
    return text(tree).strip(), sorted({text(path) for path in paths if path})
