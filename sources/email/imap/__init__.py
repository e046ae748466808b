"""IMAP servers (RFC 9051, RFC 3501)."""
