"""How a provider that speaks SCIM 2.0 (RFC 7644) does the verbs of single sign-on; sessions are those of Canaille.

Quirks of Canaille 0.3: it honours ``If-Match``, but its versions have whole seconds, so that of two changes within one
it sees one; a member of a group that is named with a ``type``, and a PATCH that removes a member, fail; an account that
is locked from a later day on is inactive already, and activating it forgets that day; deactivation leaves tokens alive;
only the application that a token was issued to can revoke it, and a consent only the person.
"""

from __future__ import annotations

from leat.sources.sso.scim.actions import accounts, groups, offboard, reinstate, sessions
from leat.sources.sso.scim.actions.directory import connect

__all__ = ["ACTIONS", "connect"]

ACTIONS = {
    "activate_user": accounts.ACTIVATE,
    "deactivate_user": accounts.DEACTIVATE,
    "add_to_group": groups.ADD,
    "remove_from_group": groups.REMOVE,
    "grant_role": groups.GRANT,
    "revoke_role": groups.REVOKE,
    "end_session": sessions.END_ONE,
    "end_sessions": sessions.END_ALL,
    "offboard": offboard.OFFBOARD,
    "reinstate": reinstate.REINSTATE,
}
