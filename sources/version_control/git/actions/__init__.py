"""What leat can do in git repositories; see :mod:`leat.sources.version_control.actions`.

It works in a mirror of its own in the private folder of the actions, and pushes from there. git 2.39 or newer is needed
to merge and revert.
"""

from leat.sources.version_control.git.actions.branches import CREATE, DELETE, RENAME, RESTORE
from leat.sources.version_control.git.actions.merging import MERGE, REVERT
from leat.sources.version_control.git.actions.repositories import connect
from leat.sources.version_control.git.actions.tags import CREATE_TAG, DELETE_TAG

__all__ = ["ACTIONS", "connect"]

ACTIONS = {
    "create_branch": CREATE,
    "delete_branch": DELETE,
    "rename_branch": RENAME,
    "restore_branch": RESTORE,
    "create_tag": CREATE_TAG,
    "delete_tag": DELETE_TAG,
    "merge": MERGE,
    "revert": REVERT,
}
