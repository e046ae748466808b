"""Create, delete, rename and restore branches."""

from __future__ import annotations

from leat.sources.actions import Action, Order, Plan, Receipt, Refused, Undo
from leat.sources.version_control.actions import CreateBranch, DeleteBranch, RenameBranch, RestoreBranch
from leat.sources.version_control.git.actions.pushing import (
    check_free,
    confirm,
    plan_of,
    probe,
    send,
    updates_of,
)
from leat.sources.version_control.git.actions.repositories import Fetched, Repositories, fetched
from leat.sources.version_control.git.remote import Update

_HEADS = "refs/heads/"


def _plan_create(repositories: Repositories, _id: str, wanted: CreateBranch) -> Plan:
    with fetched(repositories, repositories.named(wanted.repository)) as at:
        commit = at.commit(at.resolve(wanted.at, "at"))
        if commit is None:
            msg = f"at: {wanted.at} is no commit"
            raise Refused(msg)
        return _plan_new(at, wanted.name, commit, "create")


def _plan_restore(repositories: Repositories, _id: str, wanted: RestoreBranch) -> Plan:
    with fetched(repositories, repositories.named(wanted.repository)) as at:
        if not at.has(wanted.commit) or at.commit(wanted.commit) != wanted.commit:
            msg = f"commit: {at.remote.name} has no commit {wanted.commit} any more"
            raise Refused(msg)
        return _plan_new(at, wanted.name, wanted.commit, "restore")


def _plan_new(at: Fetched, name: str, commit: str, verb: str) -> Plan:
    ref = _HEADS + name
    check_free(at, ref, "name")
    return plan_of(at, f"{verb} branch {name} at {commit[:10]}", [Update(ref, "", commit)])


def _undo_new(_repositories: Repositories, order: Order, _receipt: Receipt) -> Undo:
    [update] = updates_of(order)
    name = update.ref.removeprefix(_HEADS)
    return Undo("delete_branch", {"repository": order.plan.payload["repository"], "name": name, "commit": update.new})


def _existing(at: Fetched, wanted: DeleteBranch | RenameBranch, verb: str) -> str:
    """Return the commit of a branch that may go.

    Raises:
        Refused: there is none, it is the default branch, or isn't where it was expected.
    """
    commit = at.branch(wanted.name, "name")
    if at.default == _HEADS + wanted.name:
        msg = f"name: {wanted.name} is the default branch; make another one the default before you {verb} it"
        raise Refused(msg)
    if wanted.commit is not None and commit != wanted.commit:
        msg = f"somebody has pushed to {wanted.name} since: it was at {wanted.commit} and is at {commit}; decide again"
        raise Refused(msg)
    return commit


def _plan_delete(repositories: Repositories, _id: str, wanted: DeleteBranch) -> Plan:
    with fetched(repositories, repositories.named(wanted.repository)) as at:
        ref, commit = _HEADS + wanted.name, _existing(at, wanted, "delete")
        alone = [commit, "--not", *_others(at, ref)]
        count = int(at.mirror.git.run("rev-list", "--count", *alone, "--"))
        warning = f"{count} commit{'s are' if count > 1 else ' is'} in no other branch and in no tag"
        return plan_of(
            at,
            f"delete branch {wanted.name} at {commit[:10]}",
            [Update(ref, commit, "")],
            people=at.authors(*alone) or at.authors("--max-count=1", commit),
            warnings=(warning,) if count else (),
        )


def _others(at: Fetched, ref: str) -> list[str]:
    """Return the arguments for all branches and tags but one."""
    return [f"--exclude={ref}", "--glob=refs/heads/*", "--glob=refs/tags/*"] if len(at.refs) > 1 else []


def _undo_delete(_repositories: Repositories, order: Order, _receipt: Receipt) -> Undo:
    [update] = updates_of(order)
    name = update.ref.removeprefix(_HEADS)
    return Undo("restore_branch", {"repository": order.plan.payload["repository"], "name": name, "commit": update.old})


def _plan_rename(repositories: Repositories, _id: str, wanted: RenameBranch) -> Plan:
    with fetched(repositories, repositories.named(wanted.repository)) as at:
        old, new, commit = _HEADS + wanted.name, _HEADS + wanted.to, _existing(at, wanted, "rename")
        check_free(at, new, "to")
        return plan_of(
            at,
            f"rename branch {wanted.name} to {wanted.to}",
            [Update(new, "", commit), Update(old, commit, "")],
            people=at.authors("--max-count=1", commit),
            warnings=("who has the branch checked out pushes to its old name; merge requests from it may be closed",),
        )


def _undo_rename(_repositories: Repositories, order: Order, _receipt: Receipt) -> Undo:
    new, old = (update.ref.removeprefix(_HEADS) for update in updates_of(order))
    commit = updates_of(order)[0].new
    names = {"repository": order.plan.payload["repository"], "name": new, "to": old}
    return Undo("rename_branch", {**names, "commit": commit})


CREATE = Action(_plan_create, send, confirm, probe, _undo_new)
RESTORE = Action(_plan_restore, send, confirm, probe, _undo_new)
DELETE = Action(_plan_delete, send, confirm, probe, _undo_delete)
RENAME = Action(_plan_rename, send, confirm, probe, _undo_rename)
