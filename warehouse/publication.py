"""What readers see of a warehouse: on DuckDB the version that was published last, on Postgres each commit.

On Postgres there is nothing to publish: a commit shows readers the whole of a load or nothing, what checks refuse is
taken back before it, autovacuum clears what was replaced, and the server removes the files of dropped tables.
"""

from __future__ import annotations

from collections.abc import Callable

from leat.warehouse.session import Session, Warehouse


def is_published(warehouse: Warehouse) -> bool:
    """Return whether readers see all that has been written."""
    return warehouse.publication is None or warehouse.publication.is_current()


def publish_version(warehouse: Warehouse, judge: Callable[[Session], bool] | None = None) -> bool:
    """Let readers see what has been written.

    Args:
        warehouse: the warehouse.
        judge: asked, under the writer's lock, whether readers may have exactly what is there; None for yes.

    Returns:
        Whether readers see something new.

    Raises:
        Busy: another process has been writing for too long.
        WarehouseError: the disk is full.
    """
    return warehouse.publication is not None and warehouse.publication.publish(judge)


def rewrite_next_version(warehouse: Warehouse) -> None:
    """Let the next version have nothing in its files of rows that are about to be dropped.

    Raises:
        Busy: another process has been writing for too long.
    """
    if warehouse.publication is not None:
        warehouse.publication.rewrite_next()
