"""Errors of the API as RFC 9457 has them: a stable type, a sentence, the next step, and the id of the request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

JSON = "application/problem+json"


@dataclass(slots=True)
class Problem(Exception):
    """A request can't be answered as asked.

    Attributes:
        status: the HTTP status.
        type: stable name of what went wrong; it becomes the URI ``/problems/<type>``.
        detail: what went wrong with this request, in one sentence.
        next_step: what the caller should do.
        errors: for bad input, where and why: ``{"at": "…", "message": "…"}`` each.
        headers: more headers of the answer.
        more: more members of the answer.
    """

    status: int
    type: str
    detail: str
    next_step: str = ""
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.detail

    def body(self, request_id: str) -> bytes:
        """Return the answer's body."""
        value: dict[str, Any] = {
            "type": f"/problems/{self.type}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "request_id": request_id,
        }
        if self.next_step:
            value["next_step"] = self.next_step
        if self.errors:
            value["errors"] = list(self.errors)
        return json.dumps({**value, **self.more}, ensure_ascii=False, default=str).encode()
