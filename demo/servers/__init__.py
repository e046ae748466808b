"""Real servers as processes on loopback; the tests use them as well."""
