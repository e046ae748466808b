"""What can be done in repositories: create, delete, rename and restore branches, tag, merge, revert.

Each action changes refs with one push that is all or nothing (``--atomic``) and that the server accepts only while each
ref is where it was planned on (``--force-with-lease=<ref>:<expected>``; nothing expected: it must not exist). There is
no push without such a lease (https://git-scm.com/docs/git-push). What a merge makes is computed before it is approved,
with the times fixed, so that the commit that is pushed is the one that was shown.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from leat.sources.actions import Parameters, Verb

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)")
_LONGEST = 200


def _name(name: str) -> str:
    """Check a name as git-check-ref-format(1) does."""
    if not name or len(name.encode()) > _LONGEST or name == "@":
        msg = f"a name has 1 to {_LONGEST} bytes, and isn't @"
        raise ValueError(msg)
    if name.startswith("refs/"):
        msg = "write the name alone: main, not refs/heads/main"
        raise ValueError(msg)
    if _FORBIDDEN.search(name) or name[0] in "-./" or name[-1] in "./":
        msg = "git has no such names: no blanks, no .. and none of ~^:?*[\\, no dash, dot or slash at the ends"
        raise ValueError(msg)
    return name


def _commit(oid: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", oid):
        msg = "write the whole name of the commit, 40 or 64 digits and letters a to f"
        raise ValueError(msg)
    return oid


def _person(text: str) -> str:
    if not re.fullmatch(r"[^<>\x00-\x1f\x7f]{1,100} <[^<>\s\x00-\x1f\x7f]{1,100}>", text):
        msg = "write a name and an address: Ann Lee <ann@example.com>"
        raise ValueError(msg)
    return text


RefName = Annotated[str, AfterValidator(_name)]
Oid = Annotated[str, AfterValidator(_commit)]
Person = Annotated[str, AfterValidator(_person)]

LEAT = "leat <leat@localhost>"
_REPOSITORY = "Name of the repository, as in repositories; not needed if leat reads only one."
_AUTHOR = "Who is named as author: Ann Lee <ann@example.com>."
_EXPECTED = "Only if it is there: what somebody has pushed since is left as it is."


class _Repository(Parameters):
    repository: str | None = Field(default=None, max_length=100, description=_REPOSITORY)


class CreateBranch(_Repository):
    """Which branch begins, and where."""

    name: RefName = Field(description="Name of the branch.")
    at: RefName | None = Field(
        default=None, description="Branch, tag or full commit hash where it begins; default: the default branch."
    )


class DeleteBranch(_Repository):
    """Which branch is deleted."""

    name: RefName = Field(description="Name of the branch.")
    commit: Oid | None = Field(default=None, description=_EXPECTED)


class RenameBranch(_Repository):
    """Which branch gets which name."""

    name: RefName = Field(description="Name of the branch.")
    to: RefName = Field(description="Its new name.")
    commit: Oid | None = Field(default=None, description=_EXPECTED)


class RestoreBranch(_Repository):
    """Which branch is there again, and where."""

    name: RefName = Field(description="Name of the branch.")
    commit: Oid = Field(description="The commit where it was; old_oid in ref_updates has it.")


class CreateTag(_Repository):
    """Which tag is made, and of what."""

    name: RefName = Field(description="Name of the tag.")
    at: RefName | None = Field(
        default=None, description="Branch, tag or full object hash to tag; default: the default branch."
    )
    message: str | None = Field(
        default=None, min_length=1, max_length=10_000, description="Text of the tag; without it, the tag has none."
    )
    author: Person = Field(default=LEAT, description=_AUTHOR)


class DeleteTag(_Repository):
    """Which tag is deleted."""

    name: RefName = Field(description="Name of the tag.")
    object: Oid | None = Field(default=None, description=_EXPECTED)


class Merge(_Repository):
    """What is merged into what."""

    branch: RefName = Field(description="The branch that is merged.")
    into: RefName = Field(description="The branch that gets the merge commit.")
    message: str | None = Field(default=None, min_length=1, max_length=10_000, description="Text of the merge commit.")
    author: Person = Field(default=LEAT, description=_AUTHOR)


class Revert(_Repository):
    """Which commit is taken back."""

    branch: RefName = Field(description="The branch that gets the new commit.")
    commit: Oid = Field(description="The commit whose changes are reverted.")
    parent: int | None = Field(
        default=None, ge=1, le=100, description="For a merge: number of the parent to go back to, mostly 1."
    )
    message: str | None = Field(default=None, min_length=1, max_length=10_000, description="Text of the new commit.")
    author: Person = Field(default=LEAT, description=_AUTHOR)


_PUSH = "the right to push to the repository"
VERBS = (
    Verb("create_branch", "Create a branch.", CreateBranch, "guarded", _PUSH, "by `delete_branch`"),
    Verb(
        "delete_branch",
        "Delete a branch, except the default branch.",
        DeleteBranch,
        "guarded",
        _PUSH,
        "by `restore_branch`, with the same commit",
    ),
    Verb(
        "rename_branch",
        "Rename a branch, except the default branch.",
        RenameBranch,
        "guarded",
        _PUSH,
        "by `rename_branch`, back",
    ),
    Verb(
        "restore_branch",
        "Create a branch again at a commit where it was.",
        RestoreBranch,
        "guarded",
        _PUSH,
        "by `delete_branch`",
    ),
    Verb("create_tag", "Create a tag.", CreateTag, "guarded", _PUSH, "by `delete_tag`"),
    Verb("delete_tag", "Delete a tag.", DeleteTag, "guarded", _PUSH, "by `create_tag`, with the same object"),
    Verb(
        "merge",
        "Merge a branch into another one with a merge commit; it is refused if they conflict.",
        Merge,
        "guarded",
        f"{_PUSH}, also to a protected branch if it is one",
        "by `revert` of the merge commit",
    ),
    Verb(
        "revert",
        "Revert the changes of a commit with a new commit; it is refused if later changes conflict.",
        Revert,
        "guarded",
        f"{_PUSH}, also to a protected branch if it is one",
        "by `revert` of the new commit",
    ),
)
