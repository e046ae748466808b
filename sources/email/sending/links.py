"""The links that leat adds to a mail: to unsubscribe from bulk mail, and, if wanted, to see clicks and opens."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from leat.sources.email.sending.tokens import Token, signed

_LINK = re.compile(r'(<a\b[^>]*?\bhref=")(https?://[^"]+)(")', re.IGNORECASE)
_END = re.compile(r"</body\s*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Links:
    """How links are made for the mail of an action.

    Attributes:
        key: what tokens are signed with.
        action: id of the action.
        public_url: where leat's server answers, without a slash at the end; None without one.
        mail_to: address that mails to unsubscribe go to.
    """

    key: str
    action: str
    public_url: str | None
    mail_to: str

    def token(self, kind: str, number: int = 0) -> str:
        """Return a signed token."""
        return signed(self.key, Token(kind, self.action, number))  # type: ignore[arg-type]

    def mailto(self) -> str:
        """Return the address that unsubscribes by mail."""
        return f"mailto:{self.mail_to}?subject={quote('unsubscribe ' + self.token('unsubscribe'))}"

    def unsubscribe(self) -> str:
        """Return the link that unsubscribes."""
        return f"{self.public_url}/unsubscribe/{self.token('unsubscribe')}" if self.public_url else self.mailto()

    def unsubscribe_headers(self) -> Mapping[str, str]:
        """Return the headers of bulk mail (RFC 2369, RFC 8058): a POST to the link unsubscribes, a GET never does."""
        if self.public_url is None:
            return {"List-Unsubscribe": f"<{self.mailto()}>"}
        both = f"<{self.unsubscribe()}>,\r\n <{self.mailto()}>"
        return {"List-Unsubscribe": both, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}

    def tracked(self, html: str, *, clicks: bool, opens: bool) -> tuple[str, list[str]]:
        """Return HTML whose links lead over leat's server, and the addresses that they lead to.

        Args:
            html: the page.
            clicks: whether links are replaced.
            opens: whether an invisible picture is added.
        """
        addresses: list[str] = []

        def replaced(match: re.Match[str]) -> str:
            address = entities.unescape(match[2])
            if address.startswith(f"{self.public_url}/"):
                return match[0]
            if address not in addresses:
                addresses.append(address)
            return f"{match[1]}{self.public_url}/c/{self.token('click', addresses.index(address))}{match[3]}"

        if clicks:
            html = _LINK.sub(replaced, html)
        if opens:
            picture = f'<img src="{self.public_url}/o/{self.token("open")}" width="1" height="1" alt="">'
            html = _END.sub(lambda end: picture + end[0], html, count=1) if _END.search(html) else html + picture
        return html, addresses
