"""The control store: what is declared, overridden and run, what alerts remember, actions and automations.

The tables are in tables, alert_tables, action_tables, automation_tables and mail_tables; migrations updates a store,
new_store creates one, moving copies one to another database. engine connects and writes, store opens it, changes says
whether it has changed. overrides_file has what people set by hand. Of runs: runs, latest_runs, log_entries, calls
(requests), publications. Of alerts: alerts, alert_messages. Of actions: outbox, action_moves (changes of state),
action_history, following (actions after others), action_lease (the right to send), kill_switch, automations,
suppressions (addresses without mail). Of access: security_tables, audit_tables, audit_events (adds to the audit log),
actor (who acts). Of requests: budget_tables, budgets, request_buckets (rates that machines share); answer_tables,
idempotency (answers that are given again); requested_tables, requested_runs (runs that somebody asked for);
draft_tables, drafts (of systems that somebody adds). Of webhooks that leat sends: webhook_tables, webhooks, happened
(what they report), webhook_messages (lists, sending again), webhook_lists (what lists have), webhook_attempts. Of
queries that people save: query_tables, saved_queries. Of what is encrypted: key_tables, keys, secret_store, own_secrets
(those that leat makes). Of people whose data is erased or held: subject_tables, subject_key (of the hashes), subjects
(erasures), holds, subject_sweep (looks for them in all tables).
"""
