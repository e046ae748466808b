"""One answer of a server: its format, the list of records in it, and what it says about more pages."""
