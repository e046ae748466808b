"""The control store of leat itself: declarations, overrides, events, every run and its API calls.

Loading it as one more integration makes leat's own history a table like any other. Two things are peculiar. A run that
had nothing new is no news, nor is anything that an integration of this source does: else each load would bring about
the next one's news; such rows are loaded together with the next real news. And a run is loaded when it has ended, so
that its row is final.

Scopes needed: SELECT on the tables of the store but action_body and action_lease; for a SQLite file the right to read
it.
"""
