"""What the roles of leat are called on a Postgres server, which several projects may share."""

from __future__ import annotations

from leat.warehouse.clearance import Clearances
from leat.warehouse.postgres.rights import read_made
from leat.warehouse.session import Session, WarehouseError

_LONGEST = 63  # bytes of a name


def role_names(session: Session, clearances: Clearances) -> dict[str, str]:
    """Return the name on the server of each role.

    Raises:
        WarehouseError: a name would be too long.
    """
    database = session.execute("SELECT current_database()")[0][0]
    prefix = clearances.prefix or f"leat_{database}"
    names = {role: f"{prefix}_{role}" for role in clearances.roles}
    if any(len(name.encode()) > _LONGEST for name in names.values()):
        msg = f"the names of roles would begin with {prefix}, which is too long. Next: declare a shorter grants.prefix"
        raise WarehouseError(msg)
    return names


def role_on_server(session: Session, role: str) -> str:
    """Return the role of the server that was made for a role.

    Raises:
        WarehouseError: there is none, because what is declared wasn't applied yet.
    """
    names = [name for name in read_made(session) if name.endswith(f"_{role}")]
    if len(names) != 1:
        msg = f"the server has no role for {role}: what `grants:` declares isn't applied. Next: `leat access apply`"
        raise WarehouseError(msg)
    return names[0]


def masking_schema(schema: str, role: str) -> str:
    """Return the schema of the views in which a role sees the masked values of a schema."""
    return f"{schema}__{role}"
