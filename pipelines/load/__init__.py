"""One load of one integration: extract, land, apply, check."""
