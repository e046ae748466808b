# ruff: noqa: E501 - a proof is one line
"""Every function and operator that a model or a rule may use gives the same on both engines: values, nulls and edges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
from sqlglot import exp

from leat.pipelines.declare.portable import FUNCTIONS, SYNTAX
from leat.pipelines.declare.sql_file import SqlFile, read_sql
from leat.pipelines.declare.yaml_file import DeclarationError

T = "(VALUES (1, 'a', 1.5), (2, 'B', NULL), (NULL, NULL, -2.5), (2, 'ä', 0.0)) AS t(n, s, x)"
TEXTS = "(VALUES ('a'), ('B'), ('ab'), ('Z'), (''), (NULL), ('äö'), ('a b'), ('%_'), ('a\\b')) AS t(s)"
DAYS = ("(VALUES (TIMESTAMP '2026-01-01 00:00:00'), (TIMESTAMP '2025-12-31 23:59:59.999999'), "
        "(TIMESTAMP '2024-02-29 12:30:00'), (TIMESTAMP '2027-01-03 05:06:07.5'), (NULL)) AS t(d)")  # fmt: skip

PROOFS: dict[str, list[str]] = {
    "Abs": ["abs(-3)", "abs(-2.5)", "abs(CAST(NULL AS INTEGER))", "abs(CAST(-0.5 AS DOUBLE))"],
    "Add": ["1 + 2", "1 + NULL", "DATE '2026-01-31' + INTERVAL 1 MONTH", "DATE '2026-01-31' + 1",
            "TIMESTAMPTZ '2026-03-29 00:00:00+00' + INTERVAL 1 DAY", "CAST(0.1 AS DOUBLE) + 0.2",
            "TIMESTAMP '2024-02-29 00:00:00' + INTERVAL 1 YEAR"],
    "Array": ["ARRAY[1, 2]", "ARRAY['a', NULL]"],
    "Asin": ["asin(0.5)", "asin(NULL)"],
    "AtTimeZone": ["TIMESTAMP '2026-03-29 01:30:00' AT TIME ZONE 'UTC'",
                   "TIMESTAMPTZ '2026-03-29 01:30:00+00' AT TIME ZONE 'Europe/Berlin'",
                   "TIMESTAMPTZ '2026-10-25 00:30:00+00' AT TIME ZONE 'Europe/Berlin'",
                   "CAST(TIMESTAMPTZ '2026-01-01 23:30:00+00' AT TIME ZONE 'Asia/Tokyo' AS DATE)"],
    "Avg": [f"(SELECT avg(n) FROM {T})", f"(SELECT avg(x) FROM {T})", f"(SELECT avg(n) FROM {T} WHERE n > 9)"],
    "BitwiseOrAgg": ["(SELECT bit_or(n) FROM (VALUES (1), (4), (NULL)) AS t(n))"],
    "Cast": ["CAST(1.5 AS INTEGER)", "CAST(2.5 AS INTEGER)", "CAST(-2.5 AS BIGINT)", "CAST(CAST(2.5 AS DOUBLE) AS BIGINT)",
             "CAST(CAST(3.5 AS DOUBLE) AS BIGINT)", "CAST('  5 ' AS INTEGER)", "CAST('1.9' AS DOUBLE)",
             "CAST(TRUE AS VARCHAR)", "CAST(12 AS VARCHAR)", "CAST(NULL AS BIGINT)",
             "CAST(1.005 AS DECIMAL(10, 2))", "CAST(TRUE AS INTEGER)",
             "CAST(DATE '2026-01-01' AS VARCHAR)", "CAST(TIMESTAMP '2026-01-01 00:00:00' AS VARCHAR)",
             "CAST(TIMESTAMPTZ '2026-01-01 00:00:00.500+00' AS VARCHAR)", "CAST('true' AS BOOLEAN)", "CAST('f' AS BOOLEAN)",
             "CAST('2026-01-01T00:00:00Z' AS TIMESTAMPTZ)", "CAST('2026-01-01T01:00:00+01:00' AS TIMESTAMPTZ)",
             "CAST(DATE '2026-01-01' AS TIMESTAMPTZ)", "CAST(DATE '2026-01-01' AS TIMESTAMP)",
             "CAST(TIMESTAMPTZ '2026-01-01 23:30:00-05' AS DATE)", "CAST('2026-02-03' AS DATE)", "CAST('[1]' AS JSON) IS NULL",
             "CAST(9007199254740993 AS DOUBLE)", "CAST('-7' AS SMALLINT)"],
    "Ceil": ["ceil(1.2)", "ceil(CAST(-0.5 AS DOUBLE))", "ceil(NULL)", "ceil(3)"],
    "Chr": ["chr(228)", "chr(97)", "chr(NULL)"],
    "Coalesce": ["coalesce(NULL, 2)", "coalesce(NULL, NULL)", "ifnull(NULL, 1)", "coalesce('', 'x')"],
    "Concat": ["concat('a', NULL)", "concat('a', 1, 'b')", "concat(NULL)", "concat('', 'ä')"],
    "ConcatWs": ["concat_ws('-', 'a', NULL, 'b')", "concat_ws('-', NULL, '', 'b')"],
    "Cos": ["cos(1)", "cos(NULL)"],
    "Count": [f"(SELECT count(*) FROM {T})", f"(SELECT count(n) FROM {T})", f"(SELECT count(DISTINCT n) FROM {T})",
              f"(SELECT count(*) FILTER (WHERE n = 2) FROM {T})"],
    "CurrentTimestamp": ["current_timestamp > TIMESTAMPTZ '2026-01-01 00:00:00+00'", "current_timestamp IS NULL"],
    "DPipe": ["'a' || NULL", "'a' || 'b'", "'a' || 1", "'' || 'ä'"],
    "DateTrunc": ["CAST(date_trunc('month', DATE '2026-02-03') AS DATE)", "CAST(date_trunc('week', DATE '2026-01-01') AS DATE)"],
    "DenseRank": [f"SELECT s, dense_rank() OVER (ORDER BY n) FROM {T}"],
    "Div": ["7 / 2", "-7 / 2", "7 / NULL", "1 / 0", "CAST(1 AS DOUBLE) / 0", "0 / 0", "7.0 / 2", "1 / 3", "7 / (2 - 2)",
            "7 / NULLIF(0, 0)", "CAST(10 AS DECIMAL(10, 2)) / 4"],
    "Exp": ["exp(1)", "exp(NULL)"],
    "Extract": [f"SELECT extract({part} FROM d) FROM {DAYS}" for part in
                ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "EPOCH", "DOW", "ISODOW", "DOY", "ISOYEAR")]
               + ["extract('epoch' FROM TIMESTAMPTZ '2026-01-01 00:00:00.5+00')",
                  "extract(epoch FROM TIMESTAMP '2026-01-02 00:00:00' - TIMESTAMP '2026-01-01 00:00:00')",
                  ],
    "FirstValue": [f"SELECT s, first_value(s) OVER (ORDER BY n DESC, s) FROM {T}"],
    "Floor": ["floor(1.8)", "floor(-1.2)", "floor(NULL)", "floor(CAST(2.5 AS DOUBLE) + 0.5)"],
    "GenerateSeries": ["(SELECT count(*) FROM generate_series(1, 5) AS g(n))", "(SELECT sum(n) FROM generate_series(2, 1) AS g(n))"],
    "Greatest": ["greatest(1, NULL)", "greatest(1, 2)", "greatest('a', 'B')", "greatest(NULL, NULL)"],
    "GroupConcat": [f"(SELECT string_agg(s, ',' ORDER BY s) FROM {TEXTS})", f"(SELECT string_agg(s, ',') FROM {TEXTS} WHERE s = 'x')"],
    "IntDiv": ["7 // 2", "-7 // 2", "7 // 0", "NULL // 2"],
    "Interval": ["TIMESTAMP '2026-01-31 00:00:00' + INTERVAL 2 MONTH", "TIMESTAMP '2026-01-31 00:00:00' - INTERVAL 90 MINUTE",
                 "TIMESTAMP '2026-01-31 00:00:00' + INTERVAL 1 WEEK",
                 "INTERVAL '36 hours' > INTERVAL '1 day'"],
    "JSONExtract": ["""CAST('{"a": {"b": "c"}}' AS JSON) -> 'a' ->> 'b'""", """CAST('{"a": 1}' AS JSON) -> 'z' IS NULL"""],
    "JSONExtractScalar": ["""json_extract_string(CAST('{"a": {"b": "c"}}' AS JSON), '$.a.b')""",
                          """json_extract_string(CAST('{"a": null}' AS JSON), '$.a')""",
                          """CAST('{"a": [1, 2]}' AS JSON) ->> '$.a[1]'""", """CAST('{"a.b": 1}' AS JSON) ->> 'a.b'""",
                          """CAST('{"a": true}' AS JSON) ->> 'a'""", """CAST('{"a": ""}' AS JSON) ->> 'a'""",
                          """CAST('["x"]' AS JSON) ->> '$[0]'""", """CAST(CAST('{"a": 1.50}' AS JSON) ->> 'a' AS DOUBLE)"""],
    "Lag": [f"SELECT s, lag(n) OVER (ORDER BY s) FROM {T}", f"SELECT s, lag(n, 2, -1) OVER (ORDER BY s) FROM {T}"],
    "LastValue": [f"SELECT s, last_value(s) OVER (ORDER BY n, s) FROM {T}"],
    "Lead": [f"SELECT s, lead(n) OVER (ORDER BY s DESC) FROM {T}"],
    "Least": ["least(NULL, 2)", "least(1, 2)", "least('a', 'B')"],
    "Left": ["left('hello', 2)", "left('hello', -1)", "left('ä', 1)", "left(NULL, 1)", "left('a', 9)"],
    "Length": ["length('ä')", "length('')", "length(NULL)", "length('a b')"],
    "Like": [f"SELECT s, s LIKE '{pattern}' FROM {TEXTS}" for pattern in ("a%", "_", "%\\%%", "a\\b", "", "%b")]
            + [f"SELECT s, s NOT LIKE 'a%', s LIKE s, s LIKE s || '%' FROM {TEXTS}"],
    "Ln": ["ln(1)", "ln(2.5)"],
    "LogicalAnd": ["(SELECT bool_and(x) FROM (VALUES (true), (NULL)) AS t(x))", f"(SELECT bool_and(n > 0) FROM {T} WHERE n > 9)"],
    "LogicalOr": ["(SELECT bool_or(x) FROM (VALUES (false), (NULL)) AS t(x))", f"(SELECT bool_or(n = 2) FROM {T})"],
    "Lower": [f"SELECT lower(s) FROM {TEXTS}", "lower('ÄÖÜÉßİıſǅΣςЖ')", "lower('Ä' || 'B')", "lower(upper('ä')) = 'ä'", "lower(CASE WHEN 'a' LIKE 'A' THEN 'X' ELSE 'Y' END)"],
    "MD5": ["md5('a')", "md5('ä')", "md5(NULL)"],
    "Max": [f"(SELECT max(n) FROM {T})", f"(SELECT max(s) FROM {TEXTS})", f"(SELECT max(n) FROM {T} WHERE n > 9)",
            f"(SELECT max(d) FROM {DAYS})"],
    "Min": [f"(SELECT min(n) FROM {T})", f"(SELECT min(s) FROM {TEXTS})", f"(SELECT min(d) FROM {DAYS})"],
    "Mod": ["7 % 3", "-7 % 3", "7 % -3", "7 % 0", "7.5 % 2", "NULL % 2"],
    "Mul": ["3 * 4", "1.5 * 2", "3 * NULL", "CAST(0.1 AS DOUBLE) * 3"],
    "Ntile": [f"SELECT s, ntile(2) OVER (ORDER BY s) FROM {T}"],
    "Nullif": ["nullif(1, 1)", "nullif('', '')", "nullif(1, 2)", "nullif(NULL, 1)"],
    "Pad": ["lpad('abc', 2, '0')", "lpad('a', 3, 'xy')", "rpad('a', 3, 'xy')", "lpad(NULL, 3, '0')"],
    "PercentileCont": ["(SELECT quantile_cont(x, 0.9) FROM (VALUES (1), (2), (4), (7)) AS t(x))",
                       f"(SELECT quantile_cont(n, 0.5) FROM {T})"],
    "PercentileDisc": [f"(SELECT percentile_disc(0.95) WITHIN GROUP (ORDER BY n) FROM {T})"],
    "Pow": ["2 ** 3", "power(2, 0.5)", "pow(NULL, 2)", "2 ^ 3"],
    "Radians": ["radians(180)", "radians(NULL)"],
    "Rank": [f"SELECT s, rank() OVER (ORDER BY n) FROM {T}"],
    "RegexpLike": [f"SELECT s, regexp_matches(s, '{pattern}') FROM {TEXTS}" for pattern in
                   ("^a", "b$", "[aä]", "^.+$", "\\w", "^\\w+$", "\\s", "[\\w ]{2,3}", "^(a|b)?$", "\\\\", "^$")]
                  + ["regexp_matches(concat('a', chr(10), 'b'), 'a.b')", "regexp_matches(concat('a', chr(10)), 'a$')",
                     "regexp_matches(concat('a', chr(10), 'b'), '^b')", "regexp_matches('٣', '\\d')", "regexp_matches('ä', '\\w')",
                     "regexp_matches('a' || chr(11), '\\s')", "regexp_matches('x', '[^\\d]')", "regexp_matches('a.b', 'a[.]b')"],
    "RegexpReplace": ["regexp_replace('aaa', 'a', 'b')", "regexp_replace('aaa', 'a', 'b', 'g')",
                      "regexp_replace('ab12', '([a-z]+)(\\d+)', '\\2\\1')", "regexp_replace(NULL, 'a', 'b')",
                      "regexp_replace('x@y', '^.*@', '')", "regexp_replace(concat('a', chr(10), 'b'), '.', '-', 'g')", "regexp_replace('a+b@c', '[+][^@]*@', '@')",
                      "regexp_replace('aa', 'x' || 'y', '')"],
    "Replace": ["replace('aba', 'a', 'x')", "replace('a', '', 'x')", "replace(NULL, 'a', 'b')"],
    "Reverse": ["reverse('ab')", "reverse('aä')", "reverse('')"],
    "Right": ["right('hello', 2)", "right('hello', -1)", "right('ä', 3)"],
    "Round": ["round(CAST(2.5 AS DECIMAL(4, 1)))", "round(CAST(-2.5 AS DECIMAL(4, 1)))", "round(CAST('1.005' AS DECIMAL(10, 3)), 2)", "round(7)",
              "round(CAST(0.125 AS DECIMAL(10, 3)), 2)"],
    "RowNumber": [f"SELECT s, row_number() OVER (ORDER BY n DESC, s) FROM {T}", f"SELECT s, row_number() OVER (PARTITION BY n ORDER BY s) FROM {T}"],
    "Sign": ["sign(-2.5)", "sign(0)", "sign(NULL)"],
    "Sin": ["sin(1)", "sin(NULL)"],
    "SplitPart": ["split_part('a.b', '.', 3)", "split_part('a.b.c', '.', -1)", "split_part('a.b', '.', 1)", "split_part('', '.', 1)",
                  "split_part(NULL, '.', 1)", "split_part('a', 'xx', 1)"],
    "Sqrt": ["sqrt(2)", "sqrt(0)", "sqrt(NULL)"],
    "StartsWith": ["starts_with('abc', 'ab')", "starts_with('abc', '')", "starts_with(NULL, 'a')"],
    "StrPosition": ["strpos('abc', 'c')", "strpos('abc', '')", "strpos('abc', 'x')", "position('b' IN 'abc')", "instr('äb', 'b')"],
    "Sub": ["1 - 2", "DATE '2026-01-02' - DATE '2025-12-31'", "TIMESTAMP '2026-01-01 00:00:00' - INTERVAL 1 MONTH",
            "TIMESTAMP '2026-01-02 12:00:00' - TIMESTAMP '2026-01-01 00:00:00'", "DATE '2026-03-31' - INTERVAL 1 MONTH",
            "TIMESTAMPTZ '2026-01-01 00:00:00+01' - TIMESTAMPTZ '2026-01-01 00:00:00+00'"],
    "Substring": ["substr('hello', 0, 2)", "substr('hello', 2)", "substring('hello', 2, 2)", "substr('ä', 9)", "substr(NULL, 1)"],
    "Sum": [f"(SELECT sum(n) FROM {T})", f"(SELECT sum(x) FROM {T})", "(SELECT sum(x) FROM (SELECT 1 AS x WHERE false) AS t)",
            f"SELECT s, sum(n) OVER (ORDER BY s ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM {T}"],
    "TimestampTrunc": [f"SELECT CAST(date_trunc('{unit}', d) AS TIMESTAMP) FROM {DAYS}" for unit in
                       ("year", "quarter", "month", "week", "day", "hour", "minute", "second")]
                      + ["date_trunc('week', TIMESTAMPTZ '2026-01-01 00:30:00+00')"] ,
    "Trim": ["trim('  x ')", "ltrim('xxa', 'x')", "rtrim('a//', '/')", "trim(concat(chr(9), 'a', chr(10)))", "trim(NULL)", "trim('xax', 'x')"],
    "Unnest": ["(SELECT count(*) FROM unnest(ARRAY[1, NULL, 3]) AS u(n))"],
    "Upper": [f"SELECT upper(s) FROM {TEXTS}", "upper('äöüéßİıſǅΣςж')"],
}  # fmt: skip

OF_SYNTAX = [
    f"SELECT n, s FROM {T} ORDER BY n, s", f"SELECT n, s FROM {T} ORDER BY n DESC, s DESC", f"SELECT s FROM {TEXTS} ORDER BY s",
    f"SELECT s FROM {TEXTS} ORDER BY s DESC NULLS FIRST", f"SELECT DISTINCT n FROM {T}", f"SELECT n, count(*) FROM {T} GROUP BY n HAVING count(*) > 1",
    f"SELECT n FROM {T} UNION SELECT 2", f"SELECT n FROM {T} EXCEPT SELECT 2", f"SELECT n FROM {T} INTERSECT ALL SELECT 2",
    f"SELECT n, n IN (1, NULL), n NOT IN (1), n IS DISTINCT FROM 1, n IS NOT DISTINCT FROM NULL, NOT (n = 1) FROM {T}",
    f"SELECT n, CASE n WHEN 1 THEN 'one' WHEN NULL THEN 'none' ELSE 'more' END, n BETWEEN 1 AND 2 FROM {T}",
    f"SELECT s, s < 'a', s >= 'B', s = 'A', s <> '' FROM {TEXTS}", f"SELECT n FROM {T} ORDER BY s LIMIT 2 OFFSET 1",
    f"WITH a AS (SELECT * FROM {T}) SELECT a.n, b.s FROM a LEFT JOIN a AS b ON a.n = b.n AND b.s <> 'B'",
    f"SELECT n, EXISTS (SELECT 1 FROM {TEXTS} WHERE t.s = 'a'), n = ANY(SELECT 1) FROM {T}", "SELECT true AND NULL, false OR NULL, NOT NULL",
    f"SELECT n FROM {T} WHERE n NOT IN (SELECT 1)", f"SELECT (n, s) IN (VALUES (1, 'a')) FROM {T}",
]  # fmt: skip


@pytest.fixture
def engines(postgres_url: str) -> Iterator[tuple[Any, Any]]:
    embedded = duckdb.connect()
    embedded.execute("SET TimeZone = 'UTC'")
    server = psycopg2.connect(postgres_url, options="-c timezone=UTC")
    server.autocommit = True
    yield embedded, server.cursor()
    server.close()
    embedded.close()


def parsed(folder: Path, sql: str) -> SqlFile:
    path = folder / "proof.sql"
    select = sql if sql.startswith(("SELECT", "WITH")) else f"SELECT {sql} AS v"
    path.write_text(f"/* ---\ndescription: A proof.\n--- */\n{select}\n")
    return read_sql(path, "assets/models/proof.sql")


def plain(value: Any) -> Any:
    """Make numbers of all types, and moments of all zones, comparable; what is left differs in value."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return f"{float(value):.12g}" if math.isfinite(value) else str(value)
    if isinstance(value, datetime):
        return value.astimezone().timestamp() if value.tzinfo else value.isoformat()
    return value.isoformat() if isinstance(value, date) else value


def compare(engines: tuple[Any, Any], file: SqlFile, sql: str) -> list[str]:
    embedded, server = engines
    try:
        on_duckdb = embedded.execute(file.sql["duckdb"]).fetchall()
        server.execute(file.sql["postgres"])
        theirs = server.fetchall()
    except (duckdb.Error, psycopg2.Error) as error:
        return [f"{sql}: {error}"]
    both = [[tuple(map(plain, row)) for row in rows] for rows in (on_duckdb, theirs)]
    if file.select.args.get("order") is None:  # one inside of OVER or a subquery doesn't order the rows
        both = [sorted(rows, key=repr) for rows in both]
    return [] if both[0] == both[1] else [f"{sql}: {both[0]} on DuckDB, {both[1]} on Postgres ({file.sql['postgres']})"]


def test_each_function_is_proven_equal(engines: tuple[Any, Any], tmp_path: Path) -> None:
    assert PROOFS.keys() == FUNCTIONS
    wrong: list[str] = []
    for name, proofs in PROOFS.items():
        for sql in proofs:
            try:
                file = parsed(tmp_path, sql)
            except DeclarationError as error:
                wrong.append(str(error))
                continue
            if not any(type(node).__name__ == name for node in file.select.walk()):
                wrong.append(f"{sql} proves nothing of {name}")
            wrong += compare(engines, file, sql)
    assert not wrong, "\n".join(wrong)


def test_the_syntax_is_equal(engines: tuple[Any, Any], tmp_path: Path) -> None:
    assert [text for sql in OF_SYNTAX for text in compare(engines, parsed(tmp_path, sql), sql)] == []
    assert {"Select", "Join", "Window"} <= SYNTAX
    assert all(hasattr(exp, name) for name in SYNTAX | FUNCTIONS)


DIFFERENT = [
    "date_diff('day', a, b)", "datediff('month', a, b)", "format('{}', n)", "printf('%05.1f', n)", "extract(second FROM d)",
    "regexp_extract(s, '[0-9]+')", "mode(n)", "arg_max(s, n)", "max_by(s, n)", "dayofweek(d)", "weekday(d)", "make_date(1, 1, 1)",
    "TRY_CAST(s AS INTEGER)", "any_value(n)", "hash(s)", "epoch_ms(d)", "round(CAST(1.005 AS DOUBLE), 2)", "round(x)",
    "CAST(CAST(x AS DOUBLE) AS VARCHAR)", "s COLLATE NOCASE = 'a'", "list_contains(string_split(s, ','), 'b')", "strftime(d, '%Y')",
    "s ILIKE 'a%'", "s GLOB 'a*'", "s SIMILAR TO 'a'", "s LIKE 'a!%' ESCAPE '!'", "regexp_matches(s, t)", "regexp_matches(s, '\\bx')",
    "regexp_matches(s, '(?=x)')", "regexp_matches(s, '[[:alpha:]]')", "regexp_replace(s, 'a.*?', '')", "regexp_replace(s, 'a', '\\0')",
    "regexp_replace(s, 'a', 'b', 'm')", "regexp_replace(s, 'a', 'b', 'i')", "regexp_matches(s, '(?i)a')", "median(n)", "year(d)", "stddev(n)", "approx_count_distinct(s)", "list(n)", "array_agg(n)", "age(d)", "strptime(s, '%Y')",
    "5 & 3", "xor(1, 2)", "json_array_length(j)", "to_timestamp(n)", "current_date", "random()", "uuid()", "CAST(s AS UUID)",
    "CAST(s AS INTERVAL)", "date_trunc('decade', d)", "INTERVAL 1 CENTURY", "[1, 2][1]", "{'a': 1}", "last_day(d)", "log(100)",
]  # fmt: skip


@pytest.mark.parametrize("expression", DIFFERENT)
def test_anything_else_is_refused_with_the_file_to_write(tmp_path: Path, expression: str) -> None:
    path = tmp_path / "churn.sql"
    path.write_text(f"/* ---\ndescription: d\n--- */\nSELECT\n    n,\n    {expression} AS v\nFROM a.t\n")
    with pytest.raises(DeclarationError) as caught:
        read_sql(path, "assets/models/churn.sql")
    assert any(
        text.startswith(("assets/models/churn.sql:6: ", "assets/models/churn.sql:1: "))
        for text in caught.value.diagnostics
    )
    assert "churn.postgres.sql" in str(caught.value)
    (tmp_path / "churn.postgres.sql").write_text("SELECT n, 1 AS v FROM a.t\n")
    assert read_sql(path, "assets/models/churn.sql").overridden


@pytest.mark.parametrize(
    "query",
    ["SELECT * FROM a.t ASOF JOIN a.u ON t.d >= u.d", "SELECT * EXCLUDE (n) FROM a.t", "SELECT n FROM a.t QUALIFY n = 1",
     "SELECT n, count(*) FROM a.t GROUP BY ALL", "SELECT n FROM a.t USING SAMPLE 10", "SELECT n FROM a.t GROUP BY ROLLUP (n)",
     "SELECT COLUMNS('a.*') FROM a.t", "SELECT n FROM a.t SEMI JOIN a.u USING (n)", "PIVOT a.t ON s USING sum(n)"],
)  # fmt: skip
def test_clauses_of_one_engine_are_refused(tmp_path: Path, query: str) -> None:
    path = tmp_path / "churn.sql"
    path.write_text(f"/* ---\ndescription: d\n--- */\n{query}\n")
    with pytest.raises(DeclarationError, match=r"churn"):
        read_sql(path, "assets/models/churn.sql")
