"""The embedded warehouse whose tables are Parquet files: a catalog of DuckLake, in SQLite."""
