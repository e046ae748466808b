"""Records to rows: from the server's bytes to Arrow, a column at a time."""
