"""Merge a branch, and revert a commit. What comes out is computed when it is planned, and shown."""

from __future__ import annotations

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.version_control.actions import Merge, Revert
from leat.sources.version_control.git.actions.made import commit_text, merge_trees, with_trailer, write_object
from leat.sources.version_control.git.actions.pushing import (
    confirm_contained,
    plan_of,
    probe_contained,
    send,
    updates_of,
)
from leat.sources.version_control.git.actions.repositories import Fetched, Repositories, fetched
from leat.sources.version_control.git.remote import Update
from leat.sources.version_control.git.text import text

_HEADS = "refs/heads/"
_SHOWN = 100
"""Files that a plan lists."""


def _plan_merge(repositories: Repositories, id_: str, wanted: Merge) -> Plan:
    with fetched(repositories, repositories.named(wanted.repository)) as at:
        theirs, onto = at.branch(wanted.branch, "branch"), at.branch(wanted.into, "into")
        if _is_ancestor(at, theirs, onto):
            msg = f"{wanted.branch} is already merged into {wanted.into}"
            raise Refused(msg)
        tree, conflicts = merge_trees(at, onto, theirs)
        if conflicts:
            raise Refused(_conflict(f"{wanted.branch} and {wanted.into} conflict", conflicts))
        message = with_trailer(wanted.message or f"Merge branch '{wanted.branch}' into {wanted.into}", id_)
        seconds = int(repositories.sync.now.timestamp())
        content = commit_text(tree, (onto, theirs), wanted.author, seconds, message)
        commit = write_object(at, "commit", content)
        count = int(at.mirror.git.run("rev-list", "--count", theirs, f"^{onto}", "--"))
        commits = f"{count} commit{'s' if count > 1 else ''}"
        return plan_of(
            at,
            f"merge {wanted.branch} into {wanted.into} ({commits})",
            [Update(_HEADS + wanted.into, onto, commit)],
            more=(Change("files", None, _files(at, onto, commit)), Change("message", None, message)),
            made={"before": [], "merge": [onto, theirs], "object": ["commit", content]},
            people=at.authors(theirs, f"^{onto}"),
        )


def _plan_revert(repositories: Repositories, id_: str, wanted: Revert) -> Plan:
    with fetched(repositories, repositories.named(wanted.repository)) as at:
        tip = at.branch(wanted.branch, "branch")
        if at.commit(wanted.commit) != wanted.commit or not _is_ancestor(at, wanted.commit, tip):
            msg = f"commit: {wanted.commit} isn't in {wanted.branch}"
            raise Refused(msg)
        seconds = int(repositories.sync.now.timestamp())
        # a commit with the state before it, on top of it: merged, it takes back its changes and nothing else
        back = commit_text(_before(at, wanted), (wanted.commit,), wanted.author, seconds, "back\n")
        theirs = write_object(at, "commit", back)
        tree, conflicts = merge_trees(at, tip, theirs)
        if conflicts:
            raise Refused(_conflict(f"later commits in {wanted.branch} have changed the same lines", conflicts))
        if tree == _tree(at, tip):
            msg = f"the changes of {wanted.commit[:10]} are already taken back in {wanted.branch}"
            raise Refused(msg)
        subject = text(at.mirror.git.run("show", "-s", "--format=%s", wanted.commit, "--")).strip()
        default = f'Revert "{subject}"\n\nThis reverts commit {wanted.commit}.'
        message = with_trailer(wanted.message or default, id_)
        content = commit_text(tree, (tip,), wanted.author, seconds, message)
        commit = write_object(at, "commit", content)
        return plan_of(
            at,
            f"revert {wanted.commit[:10]} in {wanted.branch}: {subject[:80]}",
            [Update(_HEADS + wanted.branch, tip, commit)],
            more=(Change("files", None, _files(at, tip, commit)), Change("message", None, message)),
            made={"before": [back], "merge": [tip, theirs], "object": ["commit", content]},
            people=at.authors("--max-count=1", wanted.commit),
        )


def _before(at: Fetched, wanted: Revert) -> str:
    """Return the tree before a commit.

    Raises:
        Refused: it has several parents and none was chosen, or not as many.
    """
    parents = text(at.mirror.git.run("show", "-s", "--format=%P", wanted.commit, "--")).split()
    if len(parents) > 1 and wanted.parent is None:
        msg = f"parent: {wanted.commit[:10]} is a merge; say to which parent to go back, mostly 1"
        raise Refused(msg)
    number = wanted.parent or 1
    if number > max(1, len(parents)):
        msg = f"parent: {wanted.commit[:10]} has {len(parents)}"
        raise Refused(msg)
    if not parents:
        return text(at.mirror.git.run("hash-object", "-t", "tree", "-w", "--stdin")).strip()
    return _tree(at, parents[number - 1])


def _tree(at: Fetched, commit: str) -> str:
    return text(at.mirror.git.run("rev-parse", f"{commit}^{{tree}}")).strip()


def _is_ancestor(at: Fetched, commit: str, of: str) -> bool:
    return at.mirror.git.finish("merge-base", "--is-ancestor", commit, of).returncode == 0


def _conflict(what: str, paths: list[str]) -> str:
    more = f" and {len(paths) - 10} more" if len(paths) > 10 else ""
    return f"{what} in {', '.join(paths[:10])}{more}; resolve it in a work tree and push that"


def _files(at: Fetched, old: str, new: str) -> list[str]:
    """Return what differs between two commits, a line for each file: ``M docs/a.md``."""
    out = at.mirror.git.run("diff-tree", "-r", "--no-renames", "--name-status", "-z", old, new)
    parts = [text(part) for part in out.split(b"\0")]
    lines = [f"{kind} {path}" for kind, path in zip(parts[::2], parts[1::2], strict=False)]
    return lines[:_SHOWN] + ([f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else [])


def _undo(_repositories: Repositories, order: Order, _receipt: Receipt) -> Undo:
    [update] = updates_of(order)
    names = {"repository": order.plan.payload["repository"], "branch": update.ref.removeprefix(_HEADS)}
    first = {"parent": 1} if isinstance(order.parameters, Merge) else {}
    return Undo("revert", {**names, "commit": update.new, **first})


MERGE = Action(_plan_merge, send, confirm_contained, probe_contained, _undo)
REVERT = Action(_plan_revert, send, confirm_contained, probe_contained, _undo)
