"""The coverage manifest: every place where a value of a person may be, how it is erased there, or why it can't be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["erased", "made again", "expires", "outside"]


@dataclass(frozen=True, slots=True)
class Place:
    """A place where a value of a person may be.

    Attributes:
        name: what it is called in reports.
        what: what is there.
        how: whether it is erased, made again without the person, expires by itself, or is outside of leat's reach.
        way: how, or why not.
    """

    name: str
    what: str
    how: How
    way: str


PLACES = (
    Place("tables", "the tables of streams", "erased",
          "rows are deleted, or addresses, logins and names are replaced and other personal columns become null"),
    Place("histories", "earlier versions of rows", "erased", "as in the tables, every version"),
    Place("models", "the tables of models, and the values by which they are built", "made again",
          "built again from what is left, in the same command"),
    Place("model histories", "earlier versions of models", "erased", "as in the tables"),
    Place("violations", "evidence of violations, in leat.violations", "erased", "addresses and names are replaced"),
    Place("quarantine", "broken records", "erased", "the content of a record that names the person is removed"),
    Place("log", "the logs of loads and failures, in leat.log and leat.load_streams", "erased",
          "addresses and names are replaced"),
    Place("cursors", "where extractions continue, in leat.cursors", "outside",
          "a driver can't continue without it; it names accounts that the declaration names: remove them there"),
    Place("webhooks received", "bodies of webhooks, in hooks.events, and the files in live/", "erased",
          "the body of one that names the person is removed; in the files the values are overwritten. A file that "
          "arrives later has them until it is applied, which the next load does"),
    Place("landings", "rows that were extracted and not yet applied", "made again",
          "removed; the next run extracts them without the person"),
    Place("drivers' memory", "what a driver remembers between runs, in sources/", "made again",
          "removed where it names the person; the next run reads everything from the start. What a driver remembers of "
          "its system, such as a mirror of a repository, it writes again: erase the person there"),
    Place("published version", "the warehouse's file that readers open, those of roles, and freed blocks", "erased",
          "rewritten and published in the same command. A reader who has the old file open sees it until they "
          "close it"),
    Place("rows of Postgres", "rows that were deleted or changed, in the files of its tables", "erased",
          "the tables are rewritten (VACUUM FULL)"),
    Place("write-ahead log", "changes of Postgres and of its replicas and archives", "outside",
          "the server removes its log after checkpoints; archives and replicas are yours to expire"),
    Place("actions", "what is planned, sent and answered, with bodies", "erased",
          "addresses and names are replaced, bodies removed; waiting actions that name the person are cancelled"),
    Place("alerts and webhooks sent", "messages in the control store", "erased", "addresses and names are replaced"),
    Place("accounts", "people who have signed in, their sessions, tokens and saved queries", "erased", "deleted"),
    Place("audit log", "who did what", "erased",
          "it has pseudonyms; the name behind the person's is removed, and the chain stays valid"),
    Place("control store", "everything else there, and freed pages of its file", "erased",
          "addresses and names are replaced, and the file is rewritten"),
    Place("logs", "files of the state folder: logs, caches, results, Dagster's databases", "erased",
          "values are overwritten, or the file is removed if leat can make it again"),
    Place("catalog and site", "descriptions, and samples without personal columns", "made again",
          "the site in the state folder is removed: build it again. A copy elsewhere has to be built again, too"),
    Place("keys", "tombstones: keyed hashes of the identities", "expires",
          "they have to stay, so that the person doesn't come back; an administrator can lift them"),
    Place("legal holds", "identities of people whose data is on hold", "expires",
          "somebody on hold isn't erased; the identities are removed when the hold ends"),
    Place("encrypted columns", "ciphertexts of values, wherever they are", "erased",
          "decrypted to be compared, and replaced by the ciphertext of what replaces the value"),
    Place("keys of people", "keys that columns declared per_person are encrypted with", "erased",
          "destroyed, so that nobody can decrypt these columns any more, also not in a backup of the warehouse"),
    Place("backups", "copies of the warehouse and the control store", "outside",
          "leat doesn't make them and can't reach them: let them expire, those of the control store first, which have "
          "the person's keys; erase again after restoring one"),
    Place("leat serve", "reports and pages in its memory", "made again",
          "they belong to a version of the warehouse, and go when the next one is published"),
    Place("exports", "files that people saved, mails, tickets", "outside", "leat doesn't know where they are"),
    Place("the systems", "the systems that leat reads", "outside",
          "erase the person there, too; until then leat leaves them out of every load"),
)  # fmt: skip
