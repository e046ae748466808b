"""What a ``grain`` may be: each shape of a query that leat can't prove is refused, with the reason and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.pipelines.declare.yaml_file import DeclarationError
from tests.kit.loaded import declare, write

C = "payments.charges"
REFUSED = {
    "window": (
        "id",
        f"SELECT id, ROW_NUMBER() OVER (PARTITION BY currency ORDER BY id) AS n FROM {C}",
        "charges.id isn't in the PARTITION BY of a window",
    ),
    "window_of_all": (
        "id",
        f"SELECT id, SUM(amount) OVER (ORDER BY id) AS n FROM {C}",
        "charges.id isn't in the PARTITION BY of a window",
    ),
    "group": (
        "day",
        f"SELECT currency, MAX(CAST(created_at AT TIME ZONE 'UTC' AS DATE)) AS day FROM {C} GROUP BY currency",
        "day comes from MAX, not from columns of one row",
    ),
    "aggregate_of_all": ("n", f"SELECT COUNT(*) AS n FROM {C}", "n comes from COUNT, not from columns of one row"),
    "constant_of_all": (
        "kind",
        f"SELECT 'x' AS kind, COUNT(*) AS n FROM {C}",
        "an aggregate without GROUP BY needs all rows",
    ),
    "left_join": (
        "email",
        f"SELECT c.id, u.email FROM {C} AS c LEFT JOIN payments.customers AS u ON u.id = c.customer_id",
        "u.email comes from the right of a LEFT JOIN",
    ),
    "right_join": (
        "id",
        f"SELECT u.id FROM {C} AS c RIGHT JOIN payments.customers AS u ON u.id = c.customer_id",
        "a RIGHT JOIN stops the filter",
    ),
    "full_join": (
        "id",
        f"SELECT u.id FROM {C} AS c FULL JOIN payments.customers AS u ON u.id = c.customer_id",
        "a FULL JOIN stops the filter",
    ),
    "limit": ("id", f"SELECT id FROM {C} ORDER BY id LIMIT 3", "LIMIT stops the filter"),
    "inner_limit": (
        "id",
        f"SELECT id FROM (SELECT id FROM {C} ORDER BY id LIMIT 3) AS c",
        "LIMIT stops the filter",
    ),
    "except": ("id", f"SELECT id FROM {C} EXCEPT SELECT charge_id FROM payments.refunds", "EXCEPT stops the filter"),
    "clock": ("id", f"SELECT id FROM {C} WHERE created_at < CURRENT_TIMESTAMP", "it reads the clock, or calls a"),
    "clock_by_another_name": ("id", f"SELECT id FROM {C} WHERE created_at < now()", "it reads the clock, or calls a"),
    "past": ("id", "SELECT id FROM payments.invoices_as_of(TIMESTAMPTZ '2026-11-01')", "it reads the past of a table"),
    "cast": ("n", f"SELECT CAST(id AS BIGINT) AS n FROM {C}", "n comes from a CAST that may fail"),
    "scalar": (
        "n",
        f"SELECT id, (SELECT MAX(amount) FROM payments.refunds) AS n FROM {C}",
        "n comes from SUBQUERY, not from columns of one row",
    ),
    "both_sides": (
        "what",
        f"SELECT COALESCE(c.currency, u.currency) AS what FROM {C} AS c JOIN payments.customers AS u "
        "ON u.id = c.customer_id",
        "a changed row doesn't say which rows it concerns, in payments.charges, payments.customers",
    ),
    "two_ways": (
        "id",
        f"SELECT c.id FROM {C} AS c JOIN (SELECT MAX(amount) AS most FROM {C}) AS m ON m.most = c.amount",
        "a changed row doesn't say which rows it concerns, in payments.charges",
    ),
    "read_whole_as_well": (
        "id",
        f"SELECT id FROM {C} WHERE amount IN (SELECT amount FROM {C} WHERE currency = 'eur')",
        "a changed row doesn't say which rows it concerns, in payments.charges",
    ),
    "history": ("id", "SELECT id FROM payments.invoices_history", "a changed row doesn't say which rows it concerns"),
    "of_a_model_without_a_grain": ("n", "SELECT n FROM plain", "a changed row doesn't say which rows it concerns"),
    "null_of_an_outer_join": (
        "n",
        f"""SELECT t.amount AS n FROM payments.customers AS u
        LEFT JOIN {C} AS c ON c.customer_id = u.id
        JOIN payments.refunds AS t ON t.amount = COALESCE(c.amount, 0)
        WHERE u.id IN (SELECT charge_id FROM payments.refunds)""",
        "a changed row doesn't say which rows it concerns",
    ),
}


def mistakes(folder: Path, grain: str, sql: str, more: str = "", **others: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        model(folder, grain, sql, more, **others)
    return caught.value.diagnostics


def model(folder: Path, grain: str, sql: str, more: str = "", **others: str) -> Model:
    files = {f"{name}.sql": text for name, text in others.items()}
    files["seen.sql"] = f"/* ---\ndescription: A.\n{more}grain: [{grain}]\n--- */\n{sql}"
    files["plain.sql"] = "/* ---\ndescription: A.\n--- */\nSELECT amount AS n FROM payments.charges"
    declared = {"payments": declare("payments", {"invoices": {"history": True}})}
    models = load_models(write(folder, "assets/models", files), declared)
    return next(each for each in models if each.name == "seen")


@pytest.mark.parametrize("shape", REFUSED)
def test_a_shape_that_leat_cant_prove_is_refused(tmp_path: Path, shape: str) -> None:
    grain, sql, reason = REFUSED[shape]
    (mistake,) = mistakes(tmp_path, grain, sql)
    assert mistake.startswith(f"assets/models/seen.sql:3: grain: {reason}"), mistake
    assert mistake.endswith(
        "Next: see docs/warehouse.md for what leat can prove, name other columns, or remove `grain`"
    )


def test_a_recursive_query_a_view_and_a_column_that_isnt_there_are_refused(tmp_path: Path) -> None:
    recursive = (
        "WITH RECURSIVE n AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM n WHERE n < 3) "
        "SELECT c.id FROM payments.charges AS c JOIN n ON n.n = c.amount"
    )
    assert mistakes(tmp_path / "1", "id", recursive)[0].startswith("assets/models/seen.sql:3: grain: it is recursive")
    plain = "SELECT id FROM payments.charges"
    assert mistakes(tmp_path / "2", "id", plain, "materialized: view\n") == [
        "assets/models/seen.sql:4: grain: a view has no rows of its own. Next: remove `materialized: view`, or `grain`"
    ]
    assert mistakes(tmp_path / "3", "ident", plain)[0].startswith("assets/models/seen.sql:3: grain: the query gives no")
    by_hand = {"seen.postgres": plain}
    assert "its text for Postgres is written by hand" in mistakes(tmp_path / "4", "id", plain, **by_hand)[0]


def test_a_join_in_parentheses_and_a_natural_one_are_refused(tmp_path: Path) -> None:
    nested = (
        "SELECT c.id FROM (payments.charges AS c FULL JOIN payments.refunds AS r ON r.charge_id = c.id) "
        "JOIN payments.customers AS u ON u.id = c.customer_id"
    )
    assert "grain: " in mistakes(tmp_path / "1", "id", nested)[0]


def test_of_an_integration_that_isnt_declared_nothing_can_be_said(tmp_path: Path) -> None:
    sql = "SELECT c.id FROM payments.charges AS c LEFT JOIN elsewhere.things AS t ON t.id = c.id"
    assert model(tmp_path, "id", sql, "optional: [elsewhere]\n").grain is None


def test_where_a_row_may_change_its_value_the_old_one_is_stored(tmp_path: Path) -> None:
    sql = "SELECT currency, id FROM payments.charges UNION ALL SELECT currency, id FROM payments.refunds"
    found = model(tmp_path / "1", "id", sql).grain
    assert found is not None
    assert {each.table: each.key for each in found.inputs} == {"payments.charges": (), "payments.refunds": ()}
    found = model(tmp_path / "2", "currency, id", sql).grain
    assert found is not None
    assert [each.key for each in found.inputs] == [("id",), ("id",)]


ONLY_NEW = {
    "row": (True, "SELECT id, amount FROM payments.charges WHERE amount > 3"),
    "of_itself": (
        True,
        f"WITH big AS (SELECT id FROM {C} WHERE amount > 3) SELECT c.id FROM {C} AS c JOIN big ON big.id = c.id",
    ),
    "with_names": (
        True,
        f"SELECT c.id, u.email FROM {C} AS c LEFT JOIN payments.customers AS u ON u.email = c.currency",
    ),
    "counted": (True, f"SELECT id, COUNT(*) AS n FROM {C} GROUP BY id"),
    "constant": (False, f"SELECT id FROM {C} UNION ALL SELECT 'x' AS id FROM payments.customers"),
    "of_two": (False, f"SELECT id FROM {C} UNION ALL SELECT id FROM payments.refunds"),
    "not_of_its_key": (False, f"SELECT currency AS id, amount FROM {C}"),
}


@pytest.mark.parametrize("shape", ONLY_NEW)
def test_whether_new_rows_can_have_no_rows_in_the_model_yet(tmp_path: Path, shape: str) -> None:
    expected, sql = ONLY_NEW[shape]
    grain = model(tmp_path, "id", sql).grain
    assert grain is not None
    assert (grain.needed and grain.alone("payments.charges")) is expected
