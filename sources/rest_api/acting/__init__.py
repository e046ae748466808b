"""How declared actions are planned, sent, searched for, confirmed and undone."""
