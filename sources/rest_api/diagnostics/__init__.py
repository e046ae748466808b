"""What the types can't say of a declaration: one module for each part of it."""
