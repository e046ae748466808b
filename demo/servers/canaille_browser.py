"""A person with a browser at Canaille: signs in, fails to, signs out, and lets an application sign them in."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import requests

_TIMEOUT = 30
_FORM = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


@dataclass(slots=True)
class Browser:
    """A session at Canaille's pages.

    Attributes:
        url: address of Canaille.
        session: holds the cookies.
    """

    url: str
    session: requests.Session = field(init=False)

    def __post_init__(self) -> None:
        import requests

        self.session = requests.Session()

    def sign_in(self, login: str, password: str) -> bool:
        """Fill in the login and the password; returns whether that was right."""
        page = self._post(f"{self.url}/login", {"login": login, "remember": "y"})
        page = self._post(page.url, {"password": password})
        return "/auth/password" not in page.url

    def sign_out(self) -> None:
        """End the session."""
        self.session.get(f"{self.url}/logout", timeout=_TIMEOUT)

    def use(self, client_id: str, secret: str, redirect: str) -> str:
        """Let an application sign in who is signed in here (OIDC code flow with PKCE); returns its access token.

        An access token of Canaille is a signed JWT whose times are whole seconds. The second one of a person for an
        application in one second would be the first one again, which its database refuses: the application asks again.
        """
        answer = self._tokens(client_id, secret, redirect)
        if answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
            time.sleep(1)
            answer = self._tokens(client_id, secret, redirect)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _tokens(self, client_id: str, secret: str, redirect: str) -> requests.Response:
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect,
            "scope": "openid profile",
            "state": secrets.token_urlsafe(8),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        page = self.session.get(f"{self.url}/oauth/authorize", params=asked, timeout=_TIMEOUT, allow_redirects=False)
        if page.is_redirect and not page.headers["Location"].startswith(redirect):
            page = self.session.get(f"{self.url}{page.headers['Location']}", timeout=_TIMEOUT)
        if not page.is_redirect:
            form = {"csrf_token": _FORM.search(page.text)[1], "answer": "accept"}  # type: ignore[index]
            page = self.session.post(page.url, data=form, timeout=_TIMEOUT, allow_redirects=False)
        code = parse_qs(urlsplit(page.headers["Location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier}
        return self.session.post(f"{self.url}/oauth/token", data=form, auth=(client_id, secret), timeout=_TIMEOUT)

    def _post(self, url: str, form: dict[str, str]) -> requests.Response:
        page = self.session.get(url, timeout=_TIMEOUT)
        match = _FORM.search(page.text)
        if match is None:
            msg = f"{url} has no form"
            raise RuntimeError(msg)
        return self.session.post(page.url, data={"csrf_token": match[1], **form}, timeout=_TIMEOUT)
