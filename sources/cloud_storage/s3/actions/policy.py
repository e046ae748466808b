"""The policy of a bucket: take somebody out of it, or set it as a whole.

S3 knows no condition for it, so leat compares it with the plan just before it is set
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from leat.sources.actions import Action, Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.cloud_storage.actions import SetPolicy, Unshare
from leat.sources.cloud_storage.grants import prefix_of, principals_of
from leat.sources.cloud_storage.s3.actions.storage import Storage
from leat.sources.cloud_storage.s3.api import Bucket, checked
from leat.sources.cloud_storage.s3.buckets import parse_policy
from leat.sources.errors import Outdated

Policy = Mapping[str, Any]


def _plan_unshare(storage: Storage, _id: str, wanted: Unshare) -> Plan:
    bucket = storage.bucket(wanted.bucket)
    before = _read(bucket)
    statements = [_without(each, wanted, bucket.name) for each in _statements(before)]
    left = [each for each in statements if each is not None]
    where = f"{bucket.name}/{wanted.prefix}"
    if before is None or left == _statements(before):
        msg = (
            f"no statement of the policy of {bucket.name} lets {wanted.principal} in to {where}, or that has already "
            "ended; leat can't take back access lists, nor links that were made with share: a link ends by itself"
        )
        raise Refused(msg)
    after = {**before, "Statement": left} if left else None
    return _plan(bucket, before, after, f"end the access of {wanted.principal} to {where}", (wanted.principal,))


def _plan_set(storage: Storage, _id: str, wanted: SetPolicy) -> Plan:
    bucket = storage.bucket(wanted.bucket)
    before = _read(bucket)
    if before == wanted.policy:
        msg = f"the policy of {bucket.name} is already this one"
        raise Refused(msg)
    return _plan(bucket, before, wanted.policy, f"set the policy of {bucket.name}", ())


def _plan(bucket: Bucket, before: Policy | None, after: Policy | None, title: str, people: tuple[str, ...]) -> Plan:
    return Plan(
        title=title,
        target=f"{bucket.name} policy",
        changes=(Change("policy", before and dict(before), after and dict(after)),),
        payload={"bucket": bucket.name, "policy": after and dict(after)},
        precondition={"policy": before and dict(before)},
        people=people,
    )


def _statements(policy: Policy | None) -> list[Any]:
    statements = (policy or {}).get("Statement") or []
    return list(statements) if isinstance(statements, list) else [statements]


def _without(statement: Any, wanted: Unshare, bucket: str) -> Any:
    """Return a statement without a principal; None when nobody is left, itself when it isn't about the principal."""
    if not isinstance(statement, dict) or statement.get("Effect") != "Allow" or "NotPrincipal" in statement:
        return statement
    resources = statement.get("Resource")
    prefixes = {prefix_of(bucket, str(each)) for each in (resources if isinstance(resources, list) else [resources])}
    who = statement.get("Principal")
    if wanted.principal not in principals_of(statement) or prefixes != {wanted.prefix}:
        return statement
    if not isinstance(who, dict):
        return None
    left = {kind: _left(names, wanted.principal) for kind, names in who.items()}
    left = {kind: names for kind, names in left.items() if names}
    return {**statement, "Principal": left} if left else None


def _left(names: Any, principal: str) -> Any:
    return (
        [each for each in names if each != principal]
        if isinstance(names, list)
        else None
        if names == principal
        else names
    )


def _read(bucket: Bucket) -> Policy | None:
    answer = bucket.client.send(bucket.ask({"policy": ""}))
    return parse_policy(bucket, (answer.asked, checked(bucket.client, answer, bucket.name, "s3:GetBucketPolicy")))


def _send(storage: Storage, order: Order) -> Receipt:
    bucket, policy = storage.bucket(order.plan.payload["bucket"]), order.plan.payload["policy"]
    is_now = _read(bucket)
    if is_now == policy:
        return Receipt({})
    if is_now != order.plan.precondition["policy"]:
        asked, got = f"reading the policy of {bucket.name}", "somebody has changed it"
        raise Outdated(storage.sync.integration, asked, got, "plan it again")
    ask = replace(bucket.ask({"policy": ""}), method="DELETE", repeatable=False)
    if policy is not None:
        headers = {"Content-Type": "application/json"}
        ask = replace(ask, method="PUT", body=json.dumps(policy), headers=headers)
    answer = bucket.client.send(ask)
    checked(bucket.client, answer, bucket.name, "s3:PutBucketPolicy and s3:DeleteBucketPolicy")
    return Receipt({})


def _probe(storage: Storage, order: Order) -> Receipt | None:
    return None if _confirm(storage, order, Receipt({})) else Receipt({})


def _confirm(storage: Storage, order: Order, _receipt: Receipt) -> tuple[Change, ...]:
    planned = order.plan.payload["policy"]
    is_now = _read(storage.bucket(order.plan.payload["bucket"]))
    return () if is_now == planned else (Change("policy", planned, is_now and dict(is_now)),)


def _undo(_storage: Storage, order: Order, _receipt: Receipt) -> Undo:
    return Undo("set_policy", {"bucket": order.plan.payload["bucket"], "policy": order.plan.precondition["policy"]})


UNSHARE = Action(_plan_unshare, _send, _confirm, _probe, _undo)
SET_POLICY = Action(_plan_set, _send, _confirm, _probe, _undo)
