"""Plans a mail: fills in its template, adds what bulk mail needs, and freezes its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address as Person
from pathlib import Path

from leat.sources.actions import Change, Plan, Refused
from leat.sources.email.actions import Send
from leat.sources.email.imap.actions.outgoing import Outgoing
from leat.sources.email.sending.compose import Composed, composed
from leat.sources.email.sending.letters import BODY, Letter
from leat.sources.email.sending.links import Links
from leat.sources.email.sending.moments import moment_of
from leat.sources.email.sending.tokens import SHORTEST_KEY
from leat.sources.email.templates.files import BadTemplate, Header, read_template
from leat.sources.email.templates.fill import Filled, fill
from leat.sources.settings import read_secret, read_setting

FOLDER = "templates"
"""Folder of the project's templates."""
MOST_ATTACHED = 15 * 2**20
"""Bytes of all attachments: in Base64 they become a third more, and many servers take 25 MiB."""
_AUTOMATIC = {"Auto-Submitted": "auto-generated"}
"""So that no absence note answers (RFC 3834)."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What a mail says, and the links that leat added."""

    subject: str
    text: str
    html: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tracked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def plan(outgoing: Outgoing, action: str, wanted: Send) -> Plan:
    """Plan a mail.

    Raises:
        Refused: the template can't be filled, a file isn't there, or what bulk mail or tracking needs isn't declared.
    """
    header = _header(outgoing, wanted)
    bulk = header.bulk if wanted.bulk is None else wanted.bulk
    content = _content(outgoing, action, wanted, bulk=bulk)
    attachments = _attachments(outgoing, wanted)
    mail = Composed(
        outgoing.message_id(action),
        outgoing.sender,
        wanted.to,
        content.subject,
        content.text,
        content.html,
        wanted.cc,
        Person(addr_spec=wanted.reply_to) if wanted.reply_to else outgoing.reply_to,
        {**_AUTOMATIC, **content.headers},
        attachments,
    )
    body = composed(mail)
    everybody = tuple(dict.fromkeys([*wanted.to, *wanted.cc]))
    letter = Letter(mail.message_id, outgoing.sender.addr_spec, everybody, body, outgoing.witness_address)
    moment = moment_of(wanted.at, wanted.zone) if wanted.at else None
    about = {"bulk": bulk, "template": wanted.template, "links": list(content.tracked)}
    about |= {"at": moment.isoformat() if moment else None}
    shown = [Change("subject", None, content.subject), Change("text", None, content.text)]
    shown += [Change("attachment", None, f"{name}, {len(data):,} bytes") for name, data in attachments.items()]
    return Plan(
        title=f"send {content.subject!r} to {', '.join(everybody)}",
        target=f"mail/{','.join(everybody)}",
        changes=tuple(shown),
        payload={**letter.payload(), **about},
        people=everybody,
        warnings=("a mail can't be taken back", *content.warnings, *_late(moment)),
        bodies={BODY: body},
        not_before=moment,
    )


def _late(moment: datetime | None) -> tuple[str, ...]:
    is_over = moment is not None and moment <= datetime.now(UTC)
    return ("its time is over already, so it is sent at once",) if is_over else ()


def _header(outgoing: Outgoing, wanted: Send) -> Header:
    if wanted.template is None:
        return Header(subject=str(wanted.subject))
    try:
        return read_template(outgoing.sync.project / FOLDER, wanted.template).header
    except BadTemplate as error:
        msg = f"template: {error}"
        raise Refused(msg) from None


def _content(outgoing: Outgoing, action: str, wanted: Send, *, bulk: bool) -> _Content:
    wants_links = bulk or wanted.track_clicks or wanted.track_opens
    links = _links(outgoing, action, tracking=wanted.track_clicks or wanted.track_opens) if wants_links else None
    if bulk and len(wanted.to) + len(wanted.cc) > 1:
        msg = "to: a bulk mail has one recipient, so that each can unsubscribe alone; plan one for each"
        raise Refused(msg)
    leave = links.unsubscribe() if bulk and links else ""
    filled, html = _filled(outgoing, wanted, leave)
    text, warnings, tracked = filled.text, [], list[str]()
    if leave and leave not in text:
        text = f"{text.rstrip()}\n\nUnsubscribe: {leave}\n"
    if leave and html is not None and "unsubscribe" not in wanted.data and not _names(html, leave):
        warnings.append("its HTML has no link to unsubscribe: write {{ unsubscribe }} into the template")
    if html is not None and links is not None:
        html, tracked = links.tracked(html, clicks=wanted.track_clicks, opens=wanted.track_opens)
    headers = links.unsubscribe_headers() if bulk and links else {}
    return _Content(filled.subject, text, html, headers, tuple(tracked), tuple(warnings))


def _names(html: str, address: str) -> bool:
    return address in html.replace("&amp;", "&")


def _filled(outgoing: Outgoing, wanted: Send, leave: str) -> tuple[Filled, str | None]:
    """Return what the mail says; of a mail of text alone, the HTML is None."""
    if wanted.template is None:
        return Filled(str(wanted.subject), "", str(wanted.text)), None
    data = {"unsubscribe": leave, **wanted.data}
    try:
        filled = fill(read_template(outgoing.sync.project / FOLDER, wanted.template), data)
    except BadTemplate as error:
        msg = f"template: {error}"
        raise Refused(msg) from None
    if wanted.subject is not None:
        filled = Filled(wanted.subject, filled.html, filled.text)
    return filled, filled.html


def _links(outgoing: Outgoing, action: str, *, tracking: bool) -> Links:
    sending, sync = outgoing.sending, outgoing.sync
    if sending.signing_key is None:
        msg = "links to unsubscribe or to track are signed: set connection.send.signing_key"
        raise Refused(msg)
    key = read_secret(sending.signing_key, sync.integration, sync.project)
    if len(key) < SHORTEST_KEY:
        msg = f"connection.send.signing_key is shorter than {SHORTEST_KEY} characters"
        raise Refused(msg)
    url = None
    if sending.public_url is not None:
        url = read_setting(sending.public_url, sync.integration, sync.project).rstrip("/")
        if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            msg = "connection.send.public_url has to begin with https://"
            raise Refused(msg)
    if tracking and url is None:
        msg = "track_clicks, track_opens: set connection.send.public_url to where leat's server can be reached"
        raise Refused(msg)
    return Links(key, action, url, outgoing.unsubscribe_to)


def _attachments(outgoing: Outgoing, wanted: Send) -> dict[str, bytes]:
    project, files = outgoing.sync.project.resolve(), dict[str, bytes]()
    for each in wanted.attachments:
        path = (project / each).resolve()
        if not path.is_relative_to(project) or not path.is_file() or _is_hidden(path.relative_to(project)):
            msg = f"attachments: there is no file {each} in the project folder, or it is hidden"
            raise Refused(msg)
        if path.name in files:
            msg = f"attachments: two files have the name {path.name}"
            raise Refused(msg)
        files[path.name] = path.read_bytes()
    if sum(map(len, files.values())) > MOST_ATTACHED:
        msg = f"attachments: they have more than {MOST_ATTACHED:,} bytes; share a link to the file instead"
        raise Refused(msg)
    return files


def _is_hidden(path: Path) -> bool:
    """Return whether a file is none to send: secrets are in ``.env``, the state of the project in ``.leat``."""
    return any(part.startswith(".") for part in path.parts)
