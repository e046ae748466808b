"""What all actions on refs have in common: a plan of updates, one push, and a look at where the refs are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leat.sources.actions import Change, Order, Plan, Receipt, Refused
from leat.sources.errors import Outdated
from leat.sources.version_control.git.actions.made import make
from leat.sources.version_control.git.actions.repositories import Fetched, Repositories, fetched, opened_mirror
from leat.sources.version_control.git.mirror import objects_at
from leat.sources.version_control.git.remote import Update, list_refs, push


def short(ref: str) -> str:
    """Return what people call a ref: ``branch main``, ``tag v1``."""
    kind, _, name = ref.removeprefix("refs/").partition("/")
    return f"{'branch' if kind == 'heads' else 'tag'} {name}"


def plan_of(
    at: Fetched,
    title: str,
    updates: Sequence[Update],
    *,
    more: tuple[Change, ...] = (),
    made: Mapping[str, Any] | None = None,
    people: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Plan:
    """Return the plan of some updates of one repository; ``made`` says how objects are made that it doesn't have."""
    changes = tuple(Change(short(each.ref), each.old or None, each.new or None) for each in updates)
    return Plan(
        title=f"{at.remote.name}: {title}",
        target=f"{at.remote.name}/{updates[0].ref}",
        changes=changes + more,
        payload={
            "repository": at.remote.name,
            "updates": [[each.ref, each.old, each.new] for each in updates],
            "made": None if made is None else dict(made),
        },
        precondition={each.ref: each.old or None for each in updates},
        people=people,
        warnings=warnings,
    )


def updates_of(order: Order) -> list[Update]:
    """Return the updates that were planned."""
    return [Update(*each) for each in order.plan.payload["updates"]]


def send(repositories: Repositories, order: Order) -> Receipt:
    """Push what was planned; objects that are to be made are made again where the mirror lost them."""
    remote, updates = repositories.named(order.plan.payload["repository"]), updates_of(order)
    needed = [update.new for update in updates if update.new]
    with opened_mirror(repositories, remote) as mirror:
        is_complete = len(objects_at(mirror, needed)) == len(set(needed))
        if is_complete:
            push(remote, mirror.folder, updates)
    if not is_complete:
        with fetched(repositories, remote) as at:
            if order.plan.payload["made"] is not None:
                make(at, order.plan.payload["made"], needed[0])
            for oid in needed:
                if not at.has(oid):
                    asked, got = "push to", f"the object {oid} isn't there any more"
                    raise remote.failed(Outdated, asked, got, "plan it again")
            push(remote, at.mirror.folder, updates)
    return receipt_of(updates)


def receipt_of(updates: Sequence[Update]) -> Receipt:
    """Return where the refs are after the updates."""
    return Receipt({"refs": {each.ref: each.new or None for each in updates}})


def probe(repositories: Repositories, order: Order) -> Receipt | None:
    """Return the receipt when every ref is where it was to be."""
    return None if _elsewhere(repositories, order) else receipt_of(updates_of(order))


def confirm(repositories: Repositories, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Return the refs that aren't where they were to be."""
    return _elsewhere(repositories, order)


def _elsewhere(repositories: Repositories, order: Order) -> tuple[Change, ...]:
    refs = list_refs(repositories.named(order.plan.payload["repository"])).refs
    updates = updates_of(order)
    pairs = ((each, refs.get(each.ref, "")) for each in updates)
    return tuple(Change(short(each.ref), each.new or None, is_at or None) for each, is_at in pairs if is_at != each.new)


def probe_contained(repositories: Repositories, order: Order) -> Receipt | None:
    """Return the receipt when the branch is at the commit that was made, or has it in its history."""
    [update] = updates_of(order)
    with fetched(repositories, repositories.named(order.plan.payload["repository"])) as at:
        tip = at.refs.get(update.ref)
        if tip is None or not objects_at(at.mirror, [update.new]):
            return None
        if at.mirror.git.finish("merge-base", "--is-ancestor", update.new, tip).returncode:
            return None
    return receipt_of([update])


def confirm_contained(repositories: Repositories, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    """Return a difference when the branch doesn't have the commit that was made."""
    if probe_contained(repositories, order) is not None:
        return ()
    return confirm(repositories, order, _receipt) or (Change("history", "has the commit", "has it not"),)


def check_free(at: Fetched, ref: str, parameter: str) -> None:
    """Refuse a new ref whose name is taken, or collides with another one.

    Raises:
        Refused: with what is there.
    """
    if ref in at.refs:
        msg = f"{parameter}: {short(ref)} exists already, at {at.refs[ref]}"
        raise Refused(msg)
    taken = next((each for each in at.refs if each.startswith(f"{ref}/") or ref.startswith(f"{each}/")), None)
    if taken is not None:
        msg = f"{parameter}: git can't have {short(ref)} next to {short(taken)}; choose another name"
        raise Refused(msg)
