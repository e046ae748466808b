"""Who may do what, how people and programs prove who they are, and the audit log of all that.

principal    who asks: a person, a token of theirs, leat itself
resource     what they ask for: verbs, resources, decisions
access       the decision: validate_access
policy       rules, compiled; policy_file reads policies/*.yaml, whose keys are in policy_declaration; default_policy is
             what holds without one
gate         asks for a decision and records it in the audit log
people       persons in the control store; tokens, sessions and links let them in; secret_text makes and hashes secrets,
             sealed encrypts what belongs to a session, open_sessions lists them, verified remembers tokens and sessions
             that were looked up
clearance    which columns and rows a role may read by connecting to the warehouse itself, by the rules and by grants,
             whose keys are in grants_declaration; row_condition checks conditions, table_access what a column takes
sign_in      OpenID Connect at a provider; signed_in asks it again and signs out there; logout validates what the
             provider says of sessions that ended there
audit/       seals the events of the log, verifies them, writes checkpoints, exports them, sends them elsewhere
"""
