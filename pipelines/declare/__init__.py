"""What a user may declare: YAML and SQL files, read and checked with the line of every mistake."""
