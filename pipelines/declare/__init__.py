"""What a user may declare: YAML and SQL files, read and checked with the line of every mistake.

project reads the declarations of a project_folder, with the variables of a profile. A declaration, with its hooks, is
read by yaml_file (other files by declared_file), changed by overrides, checked by validation; diagnostics says what is
wrong. json_schema is for editors; values, cron, reserved (names), table_names and system_columns are what declarations
are made of. SQL: sql_file, portable and transpile; cache has what was parsed. keys is where the key-encryption key is,
encryption is about columns, and encryption_check what is wrong with them; stored_secrets what ``{secret: NAME}`` names.
project_policy is what a project may do (declared_hosts: where it names a host), reaching what no SQL for Postgres may
call.
"""
