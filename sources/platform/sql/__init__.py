"""A control store of leat, by its SQLAlchemy URL."""
