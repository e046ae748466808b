"""One declared action on its API: it is planned, sent, searched for, confirmed and undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from leat.sources.actions import Change, Order, Plan, Receipt, Refused, Undo
from leat.sources.errors import Outdated, Rejected, Unavailable, UnexpectedShape
from leat.sources.http.client import Answer, Client
from leat.sources.json_path import parse_path, value_at
from leat.sources.rest_api.acting.parameters import values_of
from leat.sources.rest_api.acting.requests import NOTHING, Context, ask_of, differences, record_of, request_shown
from leat.sources.rest_api.declaration.action import ActionOptions, ReadingOne
from leat.sources.templates import names_in

_GONE = frozenset({404, 410})
_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a declared action.

    Attributes:
        name: the verb.
        declared: its declaration.
    """

    name: str
    declared: ActionOptions

    def plan(self, client: Client, action_id: str, parameters: Any) -> Plan:
        """Read the record, and return exactly what would be sent.

        Raises:
            Refused: the record isn't there or isn't as declared, or a template has no value.
        """
        declared, context = self.declared, self._context(action_id, parameters)
        precondition: dict[str, Any] = {}
        before: Any = None
        if declared.read is not None:
            before, answer = self._read(client, context)
            context = self._context(action_id, parameters, before if isinstance(before, dict) else {})
            precondition = self._precondition(before, answer)
        payload = context.payload(declared.request)
        if declared.idempotency_header is not None:
            payload["headers"] |= {declared.idempotency_header: action_id}
        expected = self._expected(context)
        is_same = declared.read is not None and declared.seen_by() is declared.read
        changed = differences(before, expected) if is_same else []
        if declared.guarantee() == "natural" and expected and not changed:
            msg = "there is nothing to change: " + ", ".join(f"{name} is {value!r}" for name, value in expected.items())
            raise Refused(msg)
        needed = {name: before.get(name) for name in self._names_of_before()} if isinstance(before, dict) else {}
        return Plan(
            title=str(context.fill(declared.title)) if declared.title else f"{payload['method']} {payload['path']}",
            target=payload["path"],
            changes=(*(Change(*each) for each in changed), *request_shown(client, payload, precondition)),
            payload={**payload, "before": needed},
            precondition=precondition,
            warnings=self._warnings(),
        )

    def _context(self, action_id: str, parameters: Any, before: Any = None, result: Any = None) -> Context:
        optional = {name for name, each in self.declared.parameters.items() if not each.required}
        return Context(action_id, values_of(parameters), optional, before, result)

    def _of(self, order: Order, result: Mapping[str, Any] | None = None) -> Context:
        return self._context(order.id, order.parameters, order.plan.payload["before"], result)

    def _read(self, client: Client, context: Context) -> tuple[Any, Answer]:
        read = self.declared.read
        assert read is not None  # noqa: S101 - the caller has looked
        ask = context.ask(read)
        answer = client.send(ask)
        record = NOTHING if answer.status in _GONE else record_of(client, answer, read.record)
        if record is NOTHING:
            msg = f"{ask.path} has no record"
            raise Refused(msg)
        for name, value, wanted in differences(record, context.fill(read.expect)):
            msg = f"{name} is {value!r}, and not {wanted!r}"
            raise Refused(msg)
        return record, answer

    def _precondition(self, record: Any, answer: Answer) -> dict[str, Any]:
        if self.declared.if_match:
            etag = answer.headers.get("ETag")
            if etag is None or etag.startswith("W/"):
                msg = f"{answer.asked} gives no strong ETag, so if_match can't protect it; declare unchanged instead"
                raise Refused(msg)
            return {"etag": etag}
        return {"unchanged": {name: value_at(record, parse_path(name)) for name in self.declared.unchanged}}

    def _expected(self, context: Context) -> dict[str, Any]:
        """Return the fields and values after the effect, as far as they don't depend on the response."""
        confirm = self.declared.confirm
        expect = {} if confirm is None else confirm.expect
        certain = {
            path: value for path, value in expect.items() if all(name != "result" for name, _ in names_in(value))
        }
        filled: dict[str, Any] = context.fill(certain)
        return filled

    def _names_of_before(self) -> set[str]:
        """Return the fields of the record that later steps use."""
        declared = self.declared
        used = [each.model_dump() for each in (declared.find, declared.confirm) if each is not None]
        return {field for name, fields in names_in([*used, declared.undo]) if name == "before" for field in fields}

    def _warnings(self) -> tuple[str, ...]:
        declared = self.declared
        warnings = []
        if declared.confirm is None and declared.find is None:
            warnings.append("leat can't confirm it: the declaration has no confirm")
        if declared.unchanged:
            warnings.append("the API has no condition for it: leat misses a change right before it sends")
        return tuple(warnings)

    def send(self, client: Client, order: Order) -> Receipt:
        """Send the planned request once.

        Raises:
            Outdated: the record isn't as planned any more.
            IntegrationError: the API refused it, or its answer can't be read.
        """
        payload, condition = order.plan.payload, order.plan.precondition
        if condition.get("unchanged"):
            self._must_be_unchanged(client, order, condition["unchanged"])
        headers = {**payload["headers"], **({"If-Match": condition["etag"]} if condition.get("etag") else {})}
        ask = ask_of({**payload, "headers": headers})
        has_key = self.declared.idempotency_header is not None
        answer = client.send(replace(ask, accept=ask.accept | {_CONFLICT}) if has_key else ask)
        if answer.status == _CONFLICT:  # draft-ietf-httpapi-idempotency-key-header, 2.7
            got = "HTTP 409: it still works on the first request with this key"
            raise Unavailable(client.integration, answer.asked, got, "try later")
        if 300 <= answer.status < 400:
            raise self._redirected(client, answer)
        return self._receipt(client, answer)

    def _must_be_unchanged(self, client: Client, order: Order, planned: Mapping[str, Any]) -> None:
        try:
            record, _ = self._read(client, self._of(order))
        except Refused as refusal:
            raise Outdated(client.integration, "reading it again", str(refusal), "plan it again") from None
        for name, value, wanted in differences(record, planned):
            got = f"{name} is {value!r} now, and was {wanted!r}"
            raise Outdated(client.integration, "reading it again", got, "plan it again: somebody changed it meanwhile")

    def _redirected(self, client: Client, answer: Answer) -> Exception:
        if answer.status in (302, 303):  # some APIs answer so when it is done, others to lead to a page to sign in
            return UnexpectedShape(client.integration, answer.asked, f"HTTP {answer.status}", client.advice.shape)
        next_step = "write the path that it leads to"
        return Rejected(client.integration, answer.asked, f"HTTP {answer.status}, a redirect", next_step)

    def _receipt(self, client: Client, answer: Answer) -> Receipt:
        request = self.declared.request
        if request.fails_when:
            whole = record_of(client, answer, None)
            for name, value in request.fails_when.items():
                if value_at(whole, parse_path(name), NOTHING) == value:
                    raise Rejected(client.integration, answer.asked, f"{name} is {value!r}", client.advice.rejected)
        if not self.declared.result:
            return Receipt({"status": answer.status})
        record = record_of(client, answer, request.record)
        return Receipt({"status": answer.status, **self._result(client, answer, record)})

    def _result(self, client: Client, answer: Answer, record: Any) -> dict[str, Any]:
        result = {name: value_at(record, parse_path(path), NOTHING) for name, path in self.declared.result.items()}
        missing = [self.declared.result[name] for name, value in result.items() if value is NOTHING]
        if missing:
            got = f"a record without {', '.join(missing)}"
            raise UnexpectedShape(client.integration, answer.asked, got, "correct result and record of the action")
        return result

    def find(self, client: Client, order: Order) -> Receipt | None:
        """Search for the effect by the id of the action.

        Raises:
            UnexpectedShape: the API lists records, but not this one, so it doesn't search as declared.
        """
        declared = self.declared.find
        assert declared is not None  # noqa: S101 - only such actions search
        context = self._of(order)
        answer = client.send(context.ask(declared))
        if answer.status in _GONE:
            return None
        listed = record_of(client, answer, declared.records)
        if not isinstance(listed, list | dict):
            got = f"no list in {declared.records or 'the response'}"
            raise UnexpectedShape(client.integration, answer.asked, got, "correct find.records")
        records, where = listed if isinstance(listed, list) else [listed], context.fill(declared.where)
        for record in records:
            if not differences(record, where):
                return Receipt(self._result(client, answer, record))
        if records:
            got = f"{len(records)} records, none as find.where says"
            next_step = "narrow find.params until only the effect of this action is listed; a list has more pages"
            raise UnexpectedShape(client.integration, answer.asked, got, next_step)
        return None

    def look(self, client: Client, order: Order) -> Receipt | None:
        """Look whether the record is as it should be afterwards.

        What the response would have named is taken from the record, as far as it has it, for later steps use it.
        """
        context = self._of(order)
        record = self._read_again(client, context)
        if self._differences(record, self._expected(context)):
            return None
        named = {} if record is NOTHING else self.declared.result
        result = {name: value_at(record, parse_path(path), NOTHING) for name, path in named.items()}
        return Receipt({name: value for name, value in result.items() if value is not NOTHING})

    def confirm(self, client: Client, order: Order, receipt: Receipt) -> tuple[Change, ...]:
        """Read the record again, and return what is different from the plan."""
        declared = self.declared.confirm
        if declared is None or self.declared.seen_by() is None:
            is_there = self.declared.find is None or self.find(client, order) is not None
            return () if is_there else (Change("effect", "there", None),)
        context = self._of(order, receipt.data)
        return self._differences(self._read_again(client, context), context.fill(declared.expect))

    def _read_again(self, client: Client, context: Context) -> Any:
        declared, reading = self.declared.confirm, self.declared.seen_by()
        assert declared is not None  # noqa: S101 - the caller has looked
        assert reading is not None  # noqa: S101
        answer = client.send(context.ask(reading))
        return NOTHING if answer.status in _GONE else record_of(client, answer, _record_path(declared, reading))

    def _differences(self, record: Any, expected: Mapping[str, Any]) -> tuple[Change, ...]:
        if self.declared.confirm is not None and self.declared.confirm.absent:
            return () if record is NOTHING else (Change("record", None, "there"),)
        if record is NOTHING:
            return (Change("record", "there", None),)
        return tuple(Change(name, wanted, value) for name, value, wanted in differences(record, expected))

    def undo(self, _client: Client, order: Order, receipt: Receipt) -> Undo:
        """Return the declared action that reverses it.

        Raises:
            Refused: none is declared.
        """
        if self.declared.undo is None:
            msg = f"this can't be undone: {self.name} declares no undo"
            raise Refused(msg)
        [(verb, parameters)] = self.declared.undo.items()
        return Undo(verb, self._of(order, receipt.data).fill(parameters or {}))


def _record_path(confirm: ReadingOne, reading: ReadingOne) -> str | None:
    return confirm.record if confirm.record is not None else reading.record
