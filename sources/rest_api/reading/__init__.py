"""Reading endpoints: what is new, whole lists, the lists of each parent, and the events that a driver yields."""
