"""Canaille with people, groups, an application that somebody uses, and a log; read back from its own tables and log."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from leat.demo.servers.canaille import DATABASE, LOG, Accounts, service_account, start_canaille
from leat.demo.servers.canaille_browser import Browser
from tests.contract.served import served
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Row, Step, World

READER, WRITER = "leat", "provisioning"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
SHOP = {
    "client_id": "shop",
    "client_secret": SECRET,
    "client_name": "Shop",
    "client_uri": "https://shop.example",
    "contacts": [MAIL],
    "redirect_uris": ["https://shop.example/back"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "client_secret_basic",
    "scope": ["openid", "profile"],
}
_MANY = tuple({"user_name": f"user{i}", "family_name": f"User {i}", "formatted_name": f"User {i}"} for i in range(12))
_ANN = {
    "user_name": "ann",
    "family_name": PERSON,
    "formatted_name": PERSON,
    "emails": [MAIL, f"other-{MAIL}"],
    "phone_numbers": ["+33 1 00 00 00 00"],
    "department": "engineering",
    "password": f"ann-{SECRET}",
}
_GONE = {"user_name": "gone", "family_name": "Gone", "formatted_name": "Gone", "lock_date": "2026-01-01T00:00:00+00:00"}
ACCOUNTS = Accounts(
    clients=(service_account(READER, SECRET), service_account(WRITER, f"w-{SECRET}"), SHOP),
    users=(_ANN, *_MANY, _GONE),
    groups=(
        {"display_name": "admins", "members": ["ann"]},
        {"display_name": "everybody", "members": ["ann", *(user["user_name"] for user in _MANY)]},
    ),
)
_SAID = (
    ("Successful authentication for ", "login"),
    ("Successful password authentication for ", "factor"),
    ("Failed password authentication for ", "login"),
    ("New consent for ", "consent_given"),
    ("Issued authorization_code token for ", "token_issued"),
)
_SQL = {
    "users": (("id",), 'SELECT id FROM "user"'),
    "groups": (("id",), 'SELECT id FROM "group"'),
    "group_members": (("group_id", "member_id"), "SELECT group_id, user_id FROM membership_association_table"),
    "roles": (("id",), "SELECT id FROM \"group\" WHERE display_name = 'admins'"),
    "role_assignments": (
        ("role_id", "member_id"),
        'SELECT group_id, user_id FROM membership_association_table JOIN "group" AS g ON g.id = group_id '
        "WHERE display_name = 'admins'",
    ),
    "applications": (("id",), "SELECT id FROM client"),
    "app_assignments": (("application_id", "user_id"), "SELECT client_id, subject_id FROM consent"),
    "deactivations": (("user_id",), 'SELECT id FROM "user" WHERE lock_date IS NOT NULL'),
    "sessions": (("id",), "SELECT id FROM token WHERE subject_id IS NOT NULL"),
    "factors": (("user_id", "kind"), "SELECT id, 'password' FROM \"user\" WHERE password IS NOT NULL"),
}


@dataclass
class Server:
    """Canaille, written to by SCIM."""

    url: str
    folder: Path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send one SCIM request as a client of its own."""
        grant, client = {"grant_type": "client_credentials"}, (WRITER, f"w-{SECRET}")
        token = requests.post(f"{self.url}/oauth/token", data=grant, auth=client, timeout=30).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.request(method, f"{self.url}/scim/v2/{path}", json=body, headers=headers, timeout=30)
        assert answer.ok, (method, path, answer.status_code, answer.text[:300])
        return answer.json() if answer.content else None

    def user(self, login: str) -> str:
        """Return the id of a user."""
        return str(self.select(f"SELECT id FROM \"user\" WHERE user_name = '{login}'")[0][0])

    def group(self, name: str) -> str:
        """Return the id of a group."""
        return str(self.select(f"SELECT id FROM \"group\" WHERE display_name = '{name}'")[0][0])

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        """Return rows of Canaille's database."""
        with closing(sqlite3.connect(self.folder / DATABASE)) as database:
            return database.execute(sql).fetchall()

    def put_members(self, name: str, logins: list[str]) -> None:
        """Replace the members of a group."""
        members = [{"value": self.user(each), "$ref": f"{self.url}/scim/v2/Users/{each}"} for each in logins]
        self.ask("PUT", f"Groups/{self.group(name)}", {"schemas": [GROUP], "displayName": name, "members": members})

    def sign_in(self) -> None:
        """Fail to sign in, sign in, and let the shop know."""
        Browser(self.url).sign_in("ann", "wrong")
        browser = Browser(self.url)
        assert browser.sign_in("ann", f"ann-{SECRET}")
        browser.use("shop", SECRET, "https://shop.example/back")

    def keys(self) -> dict[str, Keys]:
        """Return what Canaille's tables and its log say."""
        expected = {stream: Keys(columns, frozenset(self.select(sql))) for stream, (columns, sql) in _SQL.items()}
        expected |= {stream: Keys(("id",), frozenset()) for stream in ("devices", "policies")}
        lines = re.findall(r"SECURITY in \w+: (.*)", (self.folder / LOG).read_text())
        return expected | {"login_events": Keys(("kind",), frozenset((_kind(line),) for line in lines))}

    def add(self) -> Step:
        """Add a user who may everything."""
        self.ask("POST", "Users", _user("new", "Cleaner", active=True))
        self.put_members("admins", ["ann", "new"])
        seen = [("users", {"user_name": "new", "active": True, "title": "Cleaner", "department": "sales"})]
        seen += [(name, {"member_id": self.user("new")}) for name in ("group_members", "role_assignments")]
        return Step(self._touched("new"), seen)

    def change(self) -> Step:
        """Deactivate the user: the account stays."""
        self.ask("PUT", f"Users/{self.user('new')}", _user("new", "Retired", active=False))
        return Step(self._touched("new"), [("users", {"user_name": "new", "active": False, "title": "Retired"})])

    def delete(self) -> Step:
        """Delete the user."""
        step = Step(self._touched("new"), gone=[("users", {"user_name": "new"})])
        self.ask("DELETE", f"Users/{self.user('new')}")
        return step

    def _touched(self, login: str) -> dict[str, Callable[[Row], bool]]:
        user, group = self.user(login), self.group("admins")
        return {
            "users": lambda row: row["id"] == user,
            "deactivations": lambda row: row["user_id"] == user,
            "groups": lambda row: row["id"] == group,
            "group_members": lambda row: row["member_id"] == user,
            "role_assignments": lambda row: row["member_id"] == user,
            "login_events": lambda _row: True,
        }


def _kind(line: str) -> str:
    if line.startswith("SCIM "):
        return f"{line.split()[2]}_changed"
    return next((kind for start, kind in _SAID if line.startswith(start)), "token_issued")


def _user(login: str, title: str, *, active: bool) -> dict[str, Any]:
    name = {"formatted": f"{PERSON} II", "familyName": PERSON}
    return {
        "schemas": [USER, ENTERPRISE],
        "userName": login,
        "name": name,
        "title": title,
        "active": active,
        ENTERPRISE: {"department": "sales"},
    }


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Start Canaille behind a counting proxy."""
    with served(lambda port: start_canaille(folder, ACCOUNTS, port)) as server:
        system = Server(f"http://127.0.0.1:{server.port}", folder)
        system.sign_in()
        system.put_members("admins", ["ann"])
        system.ask("PUT", f"Users/{system.user('user0')}", _user("user0", "Nobody", active=True))
        url = server.url
        yield World(
            connection={
                "url": f"{url}/scim/v2",
                "auth": {
                    "kind": "oauth2_client_credentials",
                    "token_url": f"{url}/oauth/token",
                    "client_id": READER,
                    "client_secret": {"env": "CONTRACT_SSO_SECRET"},
                },
                "roles": [{"group": "admins", "permissions": ["write everything"]}],
                "canaille_log": str(folder / LOG),
                "canaille_database": {"env": "CONTRACT_SSO_DATABASE"},
            },
            environment={
                "CONTRACT_SSO_SECRET": SECRET,
                "CONTRACT_SSO_DATABASE": f"sqlite:///{folder.resolve() / DATABASE}",
            },
            refused={"CONTRACT_SSO_SECRET": REFUSED},
            keys=system.keys,
            add=system.add,
            change=system.change,
            delete=system.delete,
            stop=server.stop,
            start=server.start,
            requests=server.requests,
            empty=("devices", "policies"),
            secrets=[base64.b64encode(f"{READER}:{password}".encode()).decode() for password in (SECRET, REFUSED)],
        )
