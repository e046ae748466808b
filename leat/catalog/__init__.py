"""The catalog: what every table and column means, in the warehouse, in docs/ and as a static site."""
