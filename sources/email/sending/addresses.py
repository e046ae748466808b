"""Addresses that mail may be sent to: what RFC 5321 allows without quotes, so that none can smuggle in a second one."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]")


def checked(value: str) -> str:
    """Return an address with its domain in lower case and, where it isn't ASCII, as IDNA has it.

    Raises:
        ValueError: it is no address that mail can be sent to.
    """
    local, _, domain = value.strip().rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        ascii_domain = ""
    if len(local) > 64 or len(ascii_domain) > 253 or not (_LOCAL.fullmatch(local) and _DOMAIN.fullmatch(ascii_domain)):
        msg = "write a mail address like ann@example.com"
        raise ValueError(msg)
    return f"{local}@{ascii_domain.lower()}"


def _several(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(each.strip() for each in value.split(",") if each.strip())
    return value


Address = Annotated[str, AfterValidator(checked), Field(max_length=320)]
Addresses = Annotated[tuple[Address, ...], BeforeValidator(_several)]
