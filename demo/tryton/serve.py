"""Runs Tryton's own server, with Tryton's own options, but without asking the DNS about mail addresses."""

from __future__ import annotations

from leat.demo.tryton.database import without_mail_checks

if __name__ == "__main__":
    without_mail_checks()
    from trytond.cli import main  # type: ignore[import-untyped]

    main()
