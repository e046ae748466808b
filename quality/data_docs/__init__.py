"""Great Expectations' Data Docs of the checks and rules."""
