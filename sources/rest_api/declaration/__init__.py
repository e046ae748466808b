"""What a user declares of a REST API, as types."""
