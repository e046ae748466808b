"""Create and delete tags."""

from __future__ import annotations

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.version_control.actions import CreateTag, DeleteTag
from leat.sources.version_control.git.actions.made import tag_text, with_trailer, write_object
from leat.sources.version_control.git.actions.pushing import check_free, confirm, plan_of, probe, send, updates_of
from leat.sources.version_control.git.actions.repositories import Repositories, fetched
from leat.sources.version_control.git.mirror import objects_at
from leat.sources.version_control.git.remote import Update

_TAGS = "refs/tags/"


def _plan_create(repositories: Repositories, id_: str, wanted: CreateTag) -> Plan:
    with fetched(repositories, repositories.named(wanted.repository)) as at:
        oid, ref = at.resolve(wanted.at, "at"), _TAGS + wanted.name
        check_free(at, ref, "name")
        if wanted.message is None:
            return plan_of(at, f"create tag {wanted.name} at {oid[:10]}", [Update(ref, "", oid)])
        kind = objects_at(at.mirror, [oid], form="%(objecttype)")[oid]
        message, seconds = with_trailer(wanted.message, id_), int(repositories.sync.now.timestamp())
        content = tag_text(oid, kind, wanted.name, wanted.author, seconds, message)
        tag = write_object(at, "tag", content)
        return plan_of(
            at,
            f"create tag {wanted.name} at {oid[:10]}, by {wanted.author}",
            [Update(ref, "", tag)],
            more=(Change("text of the tag", None, message),),
            made={"before": [], "merge": None, "object": ["tag", content]},
        )


def _undo_create(_repositories: Repositories, order: Order, _receipt: Receipt) -> Undo:
    [update] = updates_of(order)
    name = update.ref.removeprefix(_TAGS)
    return Undo("delete_tag", {"repository": order.plan.payload["repository"], "name": name, "object": update.new})


def _plan_delete(repositories: Repositories, _id: str, wanted: DeleteTag) -> Plan:
    with fetched(repositories, repositories.named(wanted.repository)) as at:
        ref = _TAGS + wanted.name
        oid = at.refs.get(ref)
        if oid is None:
            msg = f"name: {at.remote.name} has no tag {wanted.name}"
            raise Refused(msg)
        if wanted.object is not None and oid != wanted.object:
            msg = f"somebody has moved tag {wanted.name} since: it was {wanted.object} and is {oid}; decide again"
            raise Refused(msg)
        return plan_of(
            at,
            f"delete tag {wanted.name} at {oid[:10]}",
            [Update(ref, oid, "")],
            warnings=("who has fetched the tag still has it",),
        )


def _undo_delete(_repositories: Repositories, order: Order, _receipt: Receipt) -> Undo:
    [update] = updates_of(order)
    name = update.ref.removeprefix(_TAGS)
    return Undo("create_tag", {"repository": order.plan.payload["repository"], "name": name, "at": update.old})


CREATE_TAG = Action(_plan_create, send, confirm, probe, _undo_create)
DELETE_TAG = Action(_plan_delete, send, confirm, probe, _undo_delete)
