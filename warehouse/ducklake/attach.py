"""How a lake with its catalog in Postgres is opened: extensions, credentials, and what its connections may reach.

Passwords and keys go to DuckDB as secrets, which it shows to nobody; they are in no catalog and no text of an error.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from leat.tls import postgres_options
from leat.warehouse.duckdb.wheels import load_extension
from leat.warehouse.duckdb.writer import confine, in_memory
from leat.warehouse.session import NothingPublished, Unreachable, WarehouseError, literal
from leat.warehouse.url import shown_url

if TYPE_CHECKING:
    import duckdb

    from leat.warehouse.postgres.warehouse import PostgresWarehouse

EXTRA = "ducklake-postgres"
_S3 = "s3://"
_FROM_VARIABLES = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token")
"""Settings, which readers see; the extension fills them from the environment."""
_OPTIONS = {"application_name": "leat", "connect_timeout": "10", "keepalives_idle": "30", "tcp_user_timeout": "60000"}
_SAID = re.compile(r"connection to server\b.*", re.DOTALL)
"""What libpq says of a connection that wasn't made: no server there, or an account or password that it refused."""
_HAVE_VALUES = (
    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
    "WHERE tablename LIKE 'ducklake_inlined_%' OR tablename LIKE 'ducklake_%_column_stats'"
)


@dataclass(frozen=True, slots=True)
class SharedCatalog:
    """Where a lake is.

    Attributes:
        url: of the catalog's database, ``postgresql://user:password@host/database``.
        data: where the files are: ``s3://bucket/prefix``, or a folder that all machines see.
        retain: how long files stay that the newest version doesn't have any longer.
    """

    url: str = field(repr=False)
    data: str
    retain: timedelta

    @property
    def client(self) -> str:
        """The command that opens the lake without leat; the account and the keys are the reader's own."""
        import sqlalchemy

        url = sqlalchemy.make_url(self.url)
        place = f"host={url.host} port={url.port or 5432} dbname={url.database}"
        of_store = "INSTALL httpfs; CREATE SECRET (TYPE s3, PROVIDER credential_chain); " if self._in_store else ""
        attached = f"ATTACH 'ducklake:postgres:{place}' AS lake (READ_ONLY)"
        return f'duckdb -cmd "INSTALL ducklake; INSTALL postgres; {of_store}{attached}; USE lake"'

    @property
    def _in_store(self) -> bool:
        return self.data.startswith(_S3)

    def connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Open the lake; a catalog that isn't there is made, unless it is only read.

        Raises:
            WarehouseError: a wheel isn't installed, or keys are missing.
            NothingPublished: it isn't there.
            Unreachable: the server or the store doesn't answer.
        """
        import duckdb

        connection = in_memory()
        try:
            for extension in ("ducklake", "postgres_scanner", *(("httpfs",) if self._in_store else ())):
                load_extension(connection, extension, EXTRA)
            if self._in_store:
                for setting in _FROM_VARIABLES:
                    connection.execute(f"SET {setting} = ''")
                connection.execute(_secret("store", "s3", {**_keys(self.data), "SCOPE": self.data}))
            else:
                Path(self.data).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._attach(connection, read_only=read_only)
        except duckdb.Error as error:
            connection.close()
            raise self._refused(str(error)) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool) -> None:
        import sqlalchemy

        url = sqlalchemy.make_url(self.url)
        given = {"HOST": url.host, "PORT": str(url.port or 5432), "USER": url.username, "PASSWORD": url.password}
        named = {name: value for name, value in {**given, "DATABASE": url.database}.items() if value}
        connection.execute(_secret("catalog", "postgres", named))
        more = {**_OPTIONS, **{k: str(v) for k, v in url.query.items()}, **postgres_options(url.host, url.query)}
        options = " ".join(f"{name}='{_quoted(value)}'" for name, value in more.items())
        mode = ", READ_ONLY" if read_only else ""
        connection.execute(
            f"ATTACH {literal(f'ducklake:postgres:{options}')} AS warehouse "
            f"(META_SECRET 'catalog', DATA_PATH {literal(f'{self.data}/')}{mode})"
        )
        connection.execute("USE warehouse")
        connection.execute("SET TimeZone = 'UTC'")

    def confine(self, connection: duckdb.DuckDBPyConnection, state: Path) -> None:
        """Put all files out of reach but those of the lake and of the state folder, for good."""
        confine(connection, state / "lake" / "tmp", f"{self.data}/")

    def with_values(self, server: PostgresWarehouse) -> list[str]:
        """Return the tables of the catalog that have rows of small loads, or least and greatest values of columns."""
        with server.snapshot() as session:
            return [name for (name,) in session.execute(_HAVE_VALUES)]

    def _refused(self, text: str) -> WarehouseError:
        shown = shown_url(self.url)
        if "Unable to connect" in text or "connection" in text.lower():
            said = _SAID.search(text)  # what is before it names options of the connection
            reason = "the catalog's server doesn't answer" if said is None else " ".join(said[0].split()).rstrip(".")
            return Unreachable(f"{shown}: {reason}. Next: check LEAT_WAREHOUSE and the server")
        if "does not match" in text and "DATA_PATH" in text:
            msg = f"{shown}: the files of this lake aren't at {self.data}. Next: correct data= in LEAT_WAREHOUSE"
            return WarehouseError(msg)
        if "does not exist" in text.lower():
            return NothingPublished("nothing has been loaded yet; `leat run` loads the declared integrations")
        first = text.strip().split("\n", maxsplit=1)[0]
        return WarehouseError(f"{shown} can't be opened as a lake: {first}. Next: check LEAT_WAREHOUSE")


def _secret(name: str, kind: str, values: dict[str, str]) -> str:
    listed = ", ".join(f"{key} {literal(value)}" for key, value in values.items())
    return f"CREATE SECRET {name} (TYPE {kind}, {listed})"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _keys(data: str) -> dict[str, str]:
    """Return the keys of the object store, from the variables that all programs take them from.

    Raises:
        WarehouseError: there are none.
    """
    variable = os.environ.get
    key, secret = variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        msg = f"{data} needs keys. Next: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_REGION"
        raise WarehouseError(msg)
    values = {"KEY_ID": key, "SECRET": secret}
    values["REGION"] = variable("AWS_REGION") or variable("AWS_DEFAULT_REGION") or "us-east-1"
    if token := variable("AWS_SESSION_TOKEN"):
        values["SESSION_TOKEN"] = token
    if endpoint := variable("AWS_ENDPOINT_URL_S3") or variable("AWS_ENDPOINT_URL"):
        parts = urlsplit(endpoint)
        values |= {"ENDPOINT": parts.netloc, "URL_STYLE": "path", "USE_SSL": str(parts.scheme == "https").lower()}
    return values
