"""WebDAV servers (RFC 4918)."""
