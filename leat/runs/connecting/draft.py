"""Drafts of declarations: in the control store, where all servers see them, encrypted with their ids.

The first rows that a trial reads are nobody's to write down. So a draft is encrypted with a key that is made of its id,
and stored under a hash of that: whoever reads the control store alone learns nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from leat.pipelines.load.preview import Preview
from leat.runs.workspace import Workspace
from leat.sources.driver import SetupTest

_NONCE = 12
_TYPES: Mapping[str, Any] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "Decimal": Decimal,
    "bytes": bytes.fromhex,
}
_MARK = "\0"
"""What the names of types in JSON begin with, and no name in a document or of a column does."""


@dataclass(slots=True)
class Trial:
    """What trying a draft has shown so far.

    Attributes:
        tests: the setup tests, in the order in which they ended.
        previews: the first rows of each stream.
        doing: what is being done, in words.
        ended: whether that was all.
        changes: grows whenever something of it changes.
    """

    tests: list[SetupTest] = field(default_factory=list)
    previews: list[Preview] = field(default_factory=list)
    doing: str = ""
    ended: bool = False
    changes: int = 0

    @property
    def ok(self) -> bool:
        """Whether it has ended, and all tests passed."""
        return self.ended and bool(self.tests) and all(test.ok for test in self.tests)

    def show(self, doing: str) -> None:
        """Say what is being done; of a phrase that comes again nothing changes."""
        if doing != self.doing:
            self.doing = doing
            self.changes += 1


@dataclass(slots=True)
class Draft:
    """A declaration that isn't a file yet.

    Attributes:
        id: ``draft_…``.
        owner: id of the principal who writes it.
        name: of the integration.
        document: the declaration as data.
        form: what was typed, for whoever goes back.
        trial: what trying it has shown.
    """

    id: str
    owner: str
    name: str
    document: dict[str, Any]
    form: Mapping[str, str]
    trial: Trial = field(default_factory=Trial)


class Drafts:
    """The drafts of a project; those that this process tries are in its memory as well.

    Args:
        workspace: the project.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._tried: dict[str, Draft] = {}
        self._turns = threading.BoundedSemaphore(3)
        self._trying = threading.Lock()

    def add(self, owner: str, name: str, document: dict[str, Any], form: Mapping[str, str]) -> Draft:
        """Return a new draft, stored; what nobody has looked at for hours is removed, and then the oldest ones."""
        from leat.control import drafts as stored

        draft = Draft(f"draft_{secrets.token_hex(16)}", owner, name, document, form)
        self.store(draft)
        stored.remove_old(self._workspace.store)
        return draft

    def find(self, draft_id: str, owner: str) -> Draft | None:
        """Return a draft of somebody; None if there is none, or it isn't theirs."""
        from leat.control import drafts as stored

        draft = self._tried.get(draft_id)
        if draft is None:
            row = stored.read_draft(self._workspace.store, _name_of(draft_id))
            draft = None if row is None else _opened(draft_id, row.content)
            if draft is not None and row is not None and draft.trial.doing and not row.is_tried:
                _end_lost(draft.trial)
        return draft if draft is not None and draft.owner == owner else None

    def store(self, draft: Draft) -> None:
        """Write down what has changed in a draft."""
        from leat.control import drafts as stored

        content = _sealed(draft)
        stored.write_draft(self._workspace.store, _name_of(draft.id), content, is_tried=bool(draft.trial.doing))

    def remove(self, draft: Draft) -> None:
        """Forget a draft."""
        from leat.control import drafts as stored

        with self._trying:
            self._tried.pop(draft.id, None)
            stored.remove_draft(self._workspace.store, _name_of(draft.id))

    def turn(self) -> threading.BoundedSemaphore:
        """Return what a trial holds while it is under way: there are three at most in a process."""
        return self._turns

    def try_here(self, draft: Draft, trial: Trial) -> None:
        """Let this process be the one that tries a draft, until :meth:`end_here`; an earlier trial of it is over."""
        with self._trying:
            draft.trial = trial
            self._tried[draft.id] = draft
            self.store(draft)

    def store_tried(self, draft: Draft, trial: Trial) -> None:
        """Write down what trying a draft shows, unless somebody has removed it or tries it again."""
        with self._trying:
            if self._is_tried(draft, trial):
                self.store(draft)

    def end_here(self, draft: Draft, trial: Trial) -> None:
        """Write down what trying a draft has shown; if that fails, only this process shows it."""
        with self._trying:
            if self._is_tried(draft, trial):
                self.store(draft)
                del self._tried[draft.id]

    def _is_tried(self, draft: Draft, trial: Trial) -> bool:
        return self._tried.get(draft.id) is draft and draft.trial is trial


def _end_lost(trial: Trial) -> None:
    """End a trial whose server has ended."""
    trial.ended, trial.doing, trial.changes = True, "", trial.changes + 1
    detail = "the server that tried it has ended. Next: test again"
    trial.tests.append(SetupTest("everything works", ok=False, detail=detail))


def _name_of(draft_id: str) -> str:
    return hashlib.sha256(f"leat name {draft_id}".encode()).hexdigest()


def _key_of(draft_id: str) -> bytes:
    return hashlib.sha256(f"leat key {draft_id}".encode()).digest()  # the id has 128 random bits


def _sealed(draft: Draft) -> bytes:
    """Return a draft as it is stored."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, plain = secrets.token_bytes(_NONCE), json.dumps(asdict(draft), default=_as_json).encode()
    return nonce + AESGCM(_key_of(draft.id)).encrypt(nonce, plain, None)


def _opened(draft_id: str, content: bytes) -> Draft:
    """Return the draft that was stored."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    plain = AESGCM(_key_of(draft_id)).decrypt(content[:_NONCE], content[_NONCE:], None)
    value = json.loads(plain, object_hook=_from_json)
    trial = value.pop("trial")
    tests = [SetupTest(**each) for each in trial.pop("tests")]
    previews = [Preview(**{n: _tuples(v) for n, v in each.items()}) for each in trial.pop("previews")]
    return Draft(**value, trial=Trial(tests=tests, previews=previews, **trial))


def _as_json(value: Any) -> dict[str, str]:
    if isinstance(value, datetime | date):
        return {_MARK + type(value).__name__: value.isoformat()}
    return {_MARK + type(value).__name__: value.hex() if isinstance(value, bytes) else str(value)}


def _from_json(value: dict[str, Any]) -> Any:
    [(name, text)] = value.items() if len(value) == 1 else [("", "")]
    return _TYPES.get(name[1:], str)(text) if name.startswith(_MARK) else value


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
