"""People whose data is in a project: find it, export it, erase it, hold it. See docs/security/subjects.md.

opened is what each command needs: identities (who somebody is), tables (of the warehouse), searching (in bytes).
looking finds and exports, by finding (conditions on tables). erasing goes through everything: rewriting (tables),
erased_loads (what an erasure notes there), files, proving (what is left). holding is about legal holds, places the
coverage manifest.
"""
