"""Moves a project's warehouse to another engine, and its control store to another database.

warehouse copies all tables in one transaction and commits it only when all compare equal; tables says what there is to
move, and makes it there; digest compares tables whatever engine they are on; control_store moves the control store.
"""
