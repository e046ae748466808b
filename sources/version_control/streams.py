r"""The streams of version control that git itself can give; a forge adds more.

Identities come twice: ``*_name`` and ``*_email`` as ``.mailmap`` maps them (gitmailmap(5)), ``*_raw`` as recorded.
Object names are hexadecimal. A path or name that isn't UTF-8 has its odd bytes written as ``\xNN``.
"""

from __future__ import annotations

from leat.sources.stream import Column, Stream
from leat.sources.subject import EMAIL, email_of, name_of

_REPOSITORY = Column("repository", "string", "Name of the repository: declared, or the last part of its URL.")
_COMMIT = Column("commit", "string", "Name (hash) of the commit.")


def _person(role: str) -> tuple[Column, ...]:
    email = f"{role}_email"
    return (
        Column(
            f"{role}_name", "string", f"Name of the {role}, mapped by .mailmap; empty if none.", True, name_of(email)
        ),
        Column(f"{role}_email", "string", f"Address of the {role}, mapped by .mailmap; empty if none.", True, EMAIL),
        Column(f"{role}_name_raw", "string", f"Name of the {role} as recorded.", True, name_of(email)),
        Column(f"{role}_email_raw", "string", f"Address of the {role} as recorded.", True, email_of(email)),
    )


REPOSITORIES = Stream(
    name="repositories",
    description="A repository.",
    columns=(
        _REPOSITORY,
        Column("url", "string", "Its address, without credentials."),
        Column("default_branch", "string", "Branch that HEAD names; null when empty or HEAD is detached."),
        Column("head", "string", "Commit at HEAD; null when there is none."),
        Column("is_empty", "boolean", "Whether it has neither branch nor tag."),
        Column("is_shallow", "boolean", "Whether the source lacks the history behind a boundary."),
        Column("object_format", "string", "Hash of object names: sha1 or sha256."),
        Column("branches", "integer", "Number of branches."),
        Column("tags", "integer", "Number of tags."),
    ),
    key=("repository",),
    deletes="feed",
    quirks=("A repository is deleted here when it is no longer declared; its commits stay.",),
)

REFS = Stream(
    name="refs",
    description="A branch or tag as it is now.",
    columns=(
        _REPOSITORY,
        Column("ref", "string", "Full name, for example refs/heads/main."),
        Column("name", "string", "Short name, for example main."),
        Column("kind", "string", "branch or tag."),
        Column("target", "string", "Object that the ref points to; for an annotated tag the tag object."),
        Column("commit", "string", "Commit at the ref; null when it leads to none."),
        Column("is_default", "boolean", "Whether it is the default branch."),
        Column("ahead", "integer", "Commits that HEAD's history lacks; null without a HEAD."),
        Column("behind", "integer", "Commits of HEAD's history that it lacks; null without a HEAD."),
        Column("merged", "boolean", "Whether HEAD's history contains it (ahead is 0); null without a HEAD."),
        Column("last_commit_at", "timestamp", "Committer time of the commit at the ref."),
    ),
    key=("repository", "ref"),
    deletes="feed",
    quirks=(
        "To identify stale branches, compare last_commit_at with the current time.",
        "A branch merged by squashing or rebasing doesn't count as merged, because git has no record of it.",
    ),
)

REF_UPDATES = Stream(
    name="ref_updates",
    description="A change of a branch or tag between two extractions.",
    columns=(
        _REPOSITORY,
        Column("ref", "string", "Full name of the branch or tag."),
        Column("seen_at", "timestamp", "When leat noticed the change; it happened after the previous extraction."),
        Column("kind", "string", "created, updated (fast-forward), forced (history rewritten) or deleted."),
        Column("old", "string", "Object before; null when created."),
        Column("new", "string", "Object after; null when deleted."),
    ),
    key=("repository", "ref", "seen_at"),
    deletes="never",
    quirks=("The first extraction sees every ref as created.", "Moves between two extractions show as one."),
)

COMMITS = Stream(
    name="commits",
    description="A commit that a branch or tag reached when leat read it.",
    columns=(
        _REPOSITORY,
        _COMMIT,
        Column("tree", "string", "Name of its tree."),
        Column("parent_count", "integer", "Number of parents: 0 for a root, 2 or more for a merge."),
        *_person("author"),
        Column("authored_at", "timestamp", "When it was written; null when the recorded time is impossible."),
        Column("author_offset", "string", "Author's offset from UTC as recorded, for example +0200."),
        *_person("committer"),
        Column("committed_at", "timestamp", "When it was committed; null when the recorded time is impossible."),
        Column("committer_offset", "string", "Committer's offset from UTC as recorded."),
        Column("subject", "string", "First paragraph of the message, in one line."),
        Column("body", "string", "Rest of the message."),
        Column("encoding", "string", "Encoding that the commit declares; null for UTF-8."),
        Column("signature", "string", "Kind of signature it carries (pgp, ssh, x509, unknown), not verified; or null."),
    ),
    key=("repository", "commit"),
    deletes="never",
    quirks=(
        "Commits stay even if no branch reaches them any more.",
        "An impossible time, before year 1 or after 9999 or not a number, is stored in extra with the reason.",
    ),
)

COMMIT_PARENTS = Stream(
    name="commit_parents",
    description="A parent of a commit.",
    columns=(
        _REPOSITORY,
        _COMMIT,
        Column("position", "integer", "1 for the first parent, the branch that was merged into."),
        Column("parent", "string", "Name of the parent; it may be missing in commits when the source is shallow."),
    ),
    key=("repository", "commit", "position"),
    deletes="never",
)

COMMIT_FILES = Stream(
    name="commit_files",
    description="A file that a commit changed, compared with its first parent.",
    columns=(
        _REPOSITORY,
        _COMMIT,
        Column("path", "string", "Path after the change; of a deleted file, before."),
        Column("old_path", "string", "Path before a rename or copy."),
        Column("status", "string", "A added, M modified, D deleted, R renamed, C copied, T type changed."),
        Column("similarity", "integer", "Percent alike, for a rename or copy."),
        Column("added", "integer", "Lines added; null for a binary file."),
        Column("deleted", "integer", "Lines deleted; null for a binary file."),
        Column("binary", "boolean", "Whether git treats it as binary."),
        Column("submodule", "boolean", "Whether it is a submodule, before or after."),
        Column("mode", "string", "Mode after, octal; 000000 when deleted."),
        Column("blob", "string", "Name of the content after; null when deleted."),
        Column("old_blob", "string", "Name of the content before; null when added."),
        Column("is_merge", "boolean", "Whether the commit is a merge: then its lines came with the merged branch."),
    ),
    key=("repository", "commit", "path"),
    deletes="never",
    quirks=(
        "A merge is compared with its first parent: what the merge brought in. Leave is_merge out to count lines once.",
        "A commit at the boundary of a shallow history has no files here, because git can't say what it changed.",
    ),
)

TAGS = Stream(
    name="tags",
    description="A tag as it is now.",
    columns=(
        _REPOSITORY,
        Column("name", "string", "Name of the tag."),
        Column("annotated", "boolean", "Whether it has a tag object of its own."),
        Column("target", "string", "The tag object, or the object of a lightweight tag."),
        Column("object", "string", "Object that the tag points to, after following tags of tags."),
        Column("object_type", "string", "commit, tree or blob."),
        Column(
            "tagger_name", "string", "Name of the tagger; null for a lightweight tag.", True, name_of("tagger_email")
        ),
        Column("tagger_email", "string", "Address of the tagger.", personal=True, subject=EMAIL),
        Column("tagged_at", "timestamp", "When it was tagged; null for a lightweight tag."),
        Column("tagger_offset", "string", "Tagger's offset from UTC as recorded."),
        Column("message", "string", "The tag's message, without signature; null for a lightweight tag."),
        Column("signed", "boolean", "Whether it carries a signature, which isn't verified."),
    ),
    key=("repository", "name"),
    deletes="feed",
)

FILES = Stream(
    name="files",
    description="A file at the head of the default branch.",
    columns=(
        _REPOSITORY,
        Column("path", "string", "Path."),
        Column("size", "integer", "Bytes; null for a submodule."),
        Column("mode", "string", "Mode, octal, for example 100644."),
        Column("blob", "string", "Name of the content; for a submodule its commit."),
        Column("language", "string", "Language, by name or extension; null if unknown."),
        Column("executable", "boolean", "Whether it is executable."),
        Column("symlink", "boolean", "Whether it is a symbolic link."),
        Column("submodule", "boolean", "Whether it is a submodule."),
    ),
    key=("repository", "path"),
    deletes="feed",
)

MERGES = Stream(
    name="merges",
    description="A merge commit, and whether its parents merge without a conflict.",
    columns=(
        _REPOSITORY,
        _COMMIT,
        Column("parent_count", "integer", "Number of parents; more than 2 is an octopus."),
        Column("outcome", "string", "clean or conflicting; null when it couldn't be judged."),
        Column("conflicts", "integer", "Number of paths in conflict; null when it couldn't be judged."),
    ),
    key=("repository", "commit"),
    deletes="never",
    quirks=(
        "leat judges it by merging the parents again with git merge-tree, without the project's own merge drivers.",
    ),
)

AUTHORS = Stream(
    name="authors",
    description="An author or committer as recorded in commits, and the person that .mailmap maps it to.",
    columns=(
        _REPOSITORY,
        Column("email_raw", "string", "Address as recorded; empty if none.", personal=True, subject=email_of("email")),
        Column("name_raw", "string", "Name as recorded; empty if none.", personal=True, subject=name_of("email")),
        Column("email", "string", "Mapped address.", personal=True, subject=EMAIL),
        Column("name", "string", "Mapped name.", personal=True, subject=name_of("email")),
    ),
    key=("repository", "email_raw", "name_raw"),
    deletes="never",
)

STREAMS: tuple[Stream, ...] = (
    REPOSITORIES,
    REFS,
    REF_UPDATES,
    COMMITS,
    COMMIT_PARENTS,
    COMMIT_FILES,
    TAGS,
    FILES,
    MERGES,
    AUTHORS,
)
