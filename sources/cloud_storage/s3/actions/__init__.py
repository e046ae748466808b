"""What leat can do in a storage of the S3 API; see :mod:`leat.sources.cloud_storage.actions`.

SeaweedFS, AWS and others judge the conditions of every request. moto ignores those of a copy, so leat looks itself just
before it sends.
"""

from leat.sources.cloud_storage.s3.actions.backup import BACKUP
from leat.sources.cloud_storage.s3.actions.copy import COPY, MOVE, RESTORE_VERSION
from leat.sources.cloud_storage.s3.actions.delete import DELETE
from leat.sources.cloud_storage.s3.actions.policy import SET_POLICY, UNSHARE
from leat.sources.cloud_storage.s3.actions.pruning import DELETE_BACKUP, PRUNE_BACKUPS
from leat.sources.cloud_storage.s3.actions.put import PUT
from leat.sources.cloud_storage.s3.actions.restoring import RESTORE_TEST
from leat.sources.cloud_storage.s3.actions.share import SHARE
from leat.sources.cloud_storage.s3.actions.storage import connect

__all__ = ["ACTIONS", "IN_FLIGHT", "connect"]

IN_FLIGHT = 4
ACTIONS = {
    "put": PUT,
    "copy": COPY,
    "move": MOVE,
    "delete": DELETE,
    "restore_version": RESTORE_VERSION,
    "share": SHARE,
    "unshare": UNSHARE,
    "set_policy": SET_POLICY,
    "backup": BACKUP,
    "restore_test": RESTORE_TEST,
    "delete_backup": DELETE_BACKUP,
    "prune_backups": PRUNE_BACKUPS,
}
