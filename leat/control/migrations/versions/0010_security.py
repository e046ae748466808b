"""Store people, their sessions and tokens, and the audit log."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_TIME = sa.DateTime(timezone=True)
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _of_person() -> sa.Column[str]:
    return sa.Column("person_id", sa.String(64), sa.ForeignKey("person.id", ondelete="CASCADE"), nullable=False)


def upgrade() -> None:
    """Create the tables of access and of the audit log, and the key of its pseudonyms."""
    op.create_table(
        "person",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("role", sa.String(50)),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("signed_in_at", _TIME),
        sa.Column("deactivated_at", _TIME),
        sa.UniqueConstraint("issuer", "subject", name="uq_person_issuer_subject"),
    )
    op.create_table(
        "access_session",
        sa.Column("id_hash", sa.String(64), primary_key=True),
        _of_person(),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("authenticated_by", sa.String(50), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("provider_session", sa.String(255)),
        sa.Column("sealed", sa.LargeBinary),
    )
    op.create_index("ix_access_session_person_id", "access_session", ["person_id"])
    op.create_index("ix_access_session_provider_session", "access_session", ["provider_session"])
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        _of_person(),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("role", sa.String(50), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME),
        sa.Column("revoked_at", _TIME),
    )
    op.create_index("ix_api_token_person_id", "api_token", ["person_id"])
    op.create_table(
        "sign_in",
        sa.Column("id_hash", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(255), nullable=False),
        sa.Column("nonce", sa.String(255), nullable=False),
        sa.Column("verifier", sa.String(255), nullable=False),
        sa.Column("redirect", sa.Text, nullable=False),
        sa.Column("return_to", sa.Text, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
    )
    op.create_index("ix_sign_in_expires_at", "sign_in", ["expires_at"])
    op.create_table(
        "spent_once",
        sa.Column("id_hash", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(50), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("spent_at", _TIME),
    )
    op.create_index("ix_spent_once_expires_at", "spent_once", ["expires_at"])
    _create_audit_log()


def _create_audit_log() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("happened_at", _TIME, nullable=False),
        sa.Column("event", sa.String(100), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("transaction_id", sa.BigInteger),
        sa.Column("seq", sa.BigInteger, unique=True),
        sa.Column("previous", sa.String(64)),
        sa.Column("hash", sa.String(64)),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_event_happened_at", "audit_event", ["happened_at"])
    op.create_table(
        "audit_person",
        sa.Column("pseudonym", sa.String(64), primary_key=True),
        sa.Column("identity", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
    )
    keys = op.create_table(
        "audit_key",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("pseudonyms", sa.String(64), nullable=False),
    )
    op.bulk_insert(keys, [{"id": 1, "pseudonyms": secrets.token_hex(32)}])


def downgrade() -> None:
    """Drop the tables of access and of the audit log."""
    for table in ("audit_key", "audit_person", "audit_event", "spent_once", "sign_in", "api_token", "access_session"):
        op.drop_table(table)
    op.drop_table("person")
