"""Formulas over metrics: worked examples, the same as Python makes of small frames, and what is said of wrong ones."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metrics_assets import catalogue as catalogue_package
from metrics_assets.assets.calculated import Plan, calculate, plan
from metrics_assets.catalogue.metrics import Catalogue, Metric, load_catalogue, read_catalogue
from metrics_assets.errors import CatalogueError
from metrics_assets.warehouse.formulas import compile_formula
from metrics_assets_tests.warehouse.tables import fill, on, table

BASE = {"title": "T", "definition": "D", "unit": "count", "direction": "higher"}
FED = ("a", "b", "c")


def metric(key: str, **more: Any) -> Metric:
    return Metric.model_validate({"key": key, **BASE, **more})


def catalogue(**formulas: str | Mapping[str, Any]) -> Catalogue:
    """Metrics a, b and c, which are fed, the score s, and calculated ones."""
    found = {key: metric(key, fed="kpi_values") for key in FED}
    found["s"] = metric("s", table="scores", column="value")
    for key, formula in formulas.items():
        found[key] = metric(key, **({"formula": formula} if isinstance(formula, str) else dict(formula)))
    return Catalogue(metrics=found)


Put = Callable[..., None]


@pytest.fixture
def put(warehouse: sa.Engine) -> Put:
    """Writes rows of metrics.fed_daily, each (metric, 'subject', 'day', value)."""
    fill(warehouse)

    def putting(*rows: tuple[Any, ...]) -> None:
        with warehouse.begin() as connection:
            for name, subject, day, value, *more in rows:
                kind, _, named = subject.rpartition(":")
                state, n = (*more, None, None)[:2]
                connection.execute(
                    sa.text(
                        "insert into metrics.fed_daily (metric, subject_kind, subject, date, value, n, state) "
                        "values (:metric, :kind, :subject, :date, :value, :n, :state)"
                    ),
                    {
                        "metric": name, "kind": kind or "repository", "subject": named, "date": on(day),
                        "value": value, "n": n, "state": state or ("unknown" if value is None else "ok"),
                    },
                )  # fmt: skip

    return putting


def values(warehouse: sa.Engine, key: str = "x") -> list[tuple[Any, ...]]:
    return table(
        warehouse,
        "select subject, date, value, state from metrics.calculated_daily "
        f"where metric = '{key}' order by subject_kind, subject, date",
    )


def calculated(
    warehouse: sa.Engine, formula: str, first: str = "06-01", last: str = "06-10", **more: Any
) -> list[tuple[Any, ...]]:
    made = plan(catalogue(x={"formula": formula, **more}))
    assert made.problems == {}
    calculate(warehouse, made, on(first), on(last) + timedelta(days=1))
    return values(warehouse)


def test_arithmetic_joins_subjects_and_days(warehouse: sa.Engine, put: Put) -> None:
    put(
        ("a", "x/one", "06-01", 6.0), ("a", "x/one", "06-02", 8.0), ("a", "x/two", "06-01", 1.0),
        ("b", "x/one", "06-01", 4.0), ("b", "x/one", "06-02", 0.0), ("b", "team:web", "06-01", 4.0),
    )  # fmt: skip
    assert calculated(warehouse, "100 * a / b - 2") == [
        ("x/one", "06-01", 148.0, "ok"),
        ("x/one", "06-02", None, "unknown"),  # divided by 0
    ]
    assert [value for _, _, value, _ in calculated(warehouse, "1 / 3 * a")] == [2.0, 2.666667, 0.333333]


def test_only_the_range_is_replaced_and_doing_it_again_is_the_same(warehouse: sa.Engine, put: Put) -> None:
    put(*(("a", "x/one", f"06-0{day}", float(day)) for day in range(1, 8)))
    first = calculated(warehouse, "sum(a, 3)")
    assert [value for _, _, value, _ in first] == [None, None, 6.0, 9.0, 12.0, 15.0, 18.0]
    assert calculated(warehouse, "sum(a, 3)", "06-05", "06-06") == first
    assert [value for _, _, value, _ in calculated(warehouse, "-a", "06-05", "06-06")] == [
        None, None, 6.0, 9.0, -5.0, -6.0, 18.0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("sum(a, 2)", [None, 3.0, None, None, None]),
        ("avg(a, 2)", [None, 1.5, None, None, None]),
        ("min(a, 2)", [None, 1.0, None, None, None]),
        ("max(a, 2)", [None, 2.0, None, None, None]),
        ("lag(a, 1)", [None, 1.0, 2.0, None, None]),
        ("lag(a, 4)", [None, None, None, None, 2.0]),
        ("lag(a, 5)", [None, None, None, None, 1.0]),
        ("delta(a, 1)", [None, 1.0, None, None, None]),
        ("coalesce(lag(a, 1), 0)", [0.0, 1.0, 2.0, 0.0, 0.0]),
    ],
)
def test_windows_need_every_day(warehouse: sa.Engine, put: Put, formula: str, expected: list[float | None]) -> None:
    """Of five rows one is unknown, and after the fourth a day has none: 1, 2, ?, 4, (none), 6."""
    put(
        ("a", "x/one", "06-01", 1.0), ("a", "x/one", "06-02", 2.0), ("a", "x/one", "06-03", None),
        ("a", "x/one", "06-04", 4.0), ("a", "x/one", "06-06", 6.0),
    )  # fmt: skip
    assert [value for _, _, value, _ in calculated(warehouse, formula)] == expected


def test_windows_over_a_metric_by_week_are_over_its_weeks() -> None:
    weekly = metric("weekly", table="space_weekly", grain="week")
    formula = compile_formula(metric("x", formula="avg(weekly, 28) + lag(weekly, 7)"), {"weekly": weekly})
    assert "= 4 then avg(value)" in formula.sql
    with pytest.raises(CatalogueError, match="'weekly' has one value a week; write a number of days that 7 divides"):
        compile_formula(metric("x", formula="avg(weekly, 30)"), {"weekly": weekly})


def test_what_is_in_coalesce_may_be_missing(warehouse: sa.Engine, put: Put) -> None:
    put(("a", "x/one", "06-01", 1.0), ("a", "x/two", "06-01", 2.0), ("b", "x/one", "06-01", 10.0))
    assert calculated(warehouse, "a + coalesce(b, 0)") == [
        ("x/one", "06-01", 11.0, "ok"),
        ("x/two", "06-01", 2.0, "ok"),
    ]
    assert calculated(warehouse, "coalesce(b, a)") == [("x/one", "06-01", 10.0, "ok"), ("x/two", "06-01", 2.0, "ok")]
    assert calculated(warehouse, "a + b") == [("x/one", "06-01", 11.0, "ok")]


def test_the_worst_state_and_the_smallest_n_are_the_formulas(warehouse: sa.Engine, put: Put) -> None:
    put(
        ("a", "x/1", "06-01", 1.0, "provisional", 9), ("b", "x/1", "06-01", 1.0, "ok", 7),
        ("a", "x/2", "06-01", 1.0, "provisional", 9), ("b", "x/2", "06-01", 1.0, "too_few", 2),
        ("a", "x/3", "06-01", None, "unknown", 9), ("b", "x/3", "06-01", 1.0, "too_few", 2),
        ("a", "x/4", "06-01", 1.0), ("b", "x/4", "06-01", 1.0, "ok", 4),
        ("a", "x/5", "06-01", 1.0), ("b", "x/5", "06-01", 1.0),
    )  # fmt: skip
    calculated(warehouse, "a + b", minimum_n=5)
    assert table(warehouse, "select subject, n, state from metrics.calculated_daily order by 1") == [
        ("x/1", 7, "provisional"),
        ("x/2", 2, "too_few"),
        ("x/3", 2, "unknown"),
        ("x/4", 4, "too_few"),
        ("x/5", None, "ok"),
    ]
    # What the first known part says of itself.
    assert [state for *_, state in calculated(warehouse, "coalesce(a, b)")] == [
        "provisional", "provisional", "too_few", "ok", "ok",
    ]  # fmt: skip


def test_total_is_the_portfolios_over_the_finest_subjects(warehouse: sa.Engine, put: Put) -> None:
    put(
        ("a", "x/one", "06-01", 1.0), ("a", "x/two", "06-01", 2.0), ("a", "team:web", "06-01", 50.0),
        ("a", "portfolio:acme", "06-01", 50.0), ("a", "x/one", "06-02", 1.0), ("a", "x/two", "06-02", None),
        ("a", "segment:north", "06-03", 7.0), ("a", "segment:south", "06-03", 8.0),
        ("b", "portfolio:acme", "06-01", 10.0), ("b", "portfolio:acme", "06-03", 10.0),
    )  # fmt: skip
    assert calculated(warehouse, "total(a)") == [
        ("acme", "06-01", 3.0, "ok"),
        ("acme", "06-02", None, "unknown"),
        ("acme", "06-03", 15.0, "ok"),
    ]
    assert calculated(warehouse, "b / total(a)") == [
        ("acme", "06-01", 3.333333, "ok"),
        ("acme", "06-03", 0.666667, "ok"),
    ]


def test_what_has_no_value_is_unknown_and_no_error(warehouse: sa.Engine, put: Put) -> None:
    put(("a", "x/one", "06-01", -4.0), ("a", "x/one", "06-02", 0.0), ("a", "x/one", "06-03", 4.0))
    for formula, expected in {
        "sqrt(a)": [None, 0.0, 2.0],
        "ln(a)": [None, None, round(math.log(4), 6)],
        "log10(a)": [None, None, round(math.log10(4), 6)],
        "exp(a * 1000)": [0.0, 1.0, None],
        "abs(a) + round(a / 3)": [3.0, 0.0, 5.0],
        "a / (a - a)": [None, None, None],
        "least(a, 1 / a)": [-4.0, None, 0.25],
        "greatest(a, 1, 2)": [2.0, 2.0, 4.0],
    }.items():
        assert [value for _, _, value, _ in calculated(warehouse, formula)] == expected, formula


def test_calculated_metrics_stand_on_calculated_ones_in_any_order(warehouse: sa.Engine, put: Put) -> None:
    put(*(("a", "x/one", f"06-0{day}", float(day)) for day in range(1, 5)))
    made = plan(catalogue(z="sum(y, 2)", y="x * 2", x="a + 1"))
    assert [part.metric.key for part in made.parts] == ["x", "y", "z"]
    calculate(warehouse, made, on("06-01"), on("06-05"))
    assert [value for _, _, value, _ in values(warehouse, "z")] == [None, 10.0, 14.0, 18.0]
    # A day alone needs days before it that were calculated earlier.
    calculate(warehouse, made, on("06-04"), on("06-05"))
    assert [value for _, _, value, _ in values(warehouse, "z")] == [None, 10.0, 14.0, 18.0]


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("a + strs", "there is no metric 'strs'"),
        ("downlods / a", "there is no metric 'downlods'; did you mean 'downloads'?"),
        ("s * 2", "'s' is a score, and those are made after calculated metrics; leave it out"),
        ("a + x", "'x' is the metric itself"),
        ("a +", "'a +' cannot be read"),
        ("a ** 2", "'a ** 2' is not allowed; use + - * /"),
        ("a if b else c", "'a if b else c' is not allowed"),
        ("a > b", "'a > b' is not allowed"),
        ("a.b", "'a.b' is not allowed"),
        ("__import__('os')", "there is no function '__import__'"),
        ("a['b']", "is not allowed"),
        ("'a'", "'a' is not allowed"),
        ("True + a", "True is not allowed"),
        ("a + 1e999", "inf is too large for a number"),
        ("5", "it names no metric"),
        ("sqr(a)", "there is no function 'sqr'; did you mean 'sqrt'"),
        ("sqrt(a, b)", "sqrt takes one value, not 2"),
        ("least(a)", "least takes two values or more, not 1"),
        ("sum(a + b, 7)", "sum takes the key of a metric and a number of days, as in sum(commits, 7)"),
        ("max(a, b)", "max: 'b' is no number of days; write a whole number from 1 to 366"),
        ("min(a, b, c)", "the min of several values is least(a, b)"),
        ("sum(a, 0)", "sum: '0' is no number of days"),
        ("sum(a, 7.5)", "sum: '7.5' is no number of days"),
        ("total(a + b)", "total takes the key of one metric"),
        ("abs(x=a)", "is not allowed"),
        ("lambda: a", "is not allowed"),
        ("a; b", "cannot be read"),
        ("a\0b", "cannot be read"),
        ("sqrt(" * 40 + "a" + ")" * 40, "it is too long; write it in several metrics"),
        ("(" * 5000 + "a" + ")" * 5000, "formula: "),
    ],
)
def test_wrong_formulas_are_named(formula: str, said: str) -> None:
    metrics = {**catalogue().metrics, "downloads": metric("downloads", fed="kpi_values")}
    with pytest.raises(CatalogueError) as caught:
        compile_formula(metric("x", formula=formula), metrics)
    assert said in str(caught.value)
    assert str(caught.value).startswith("metric x: formula: ")


def test_circles_and_what_stands_on_a_wrong_metric_are_named() -> None:
    made = plan(catalogue(p="q + a", q="r", r="p", t="u", u="strs", v="a"))
    assert made.problems["p"] == "metric p: formula: p -> q -> r -> p is a circle; take one of them out."
    assert made.problems["r"] == "metric r: it stands on 'p', which cannot be calculated."
    assert made.problems["t"] == "metric t: it stands on 'u', which cannot be calculated."
    assert [part.metric.key for part in made.parts] == ["v"]


def test_a_wrong_metric_does_not_stop_the_others_and_is_not_passed_over(warehouse: sa.Engine, put: Put) -> None:
    put(("a", "x/one", "06-01", 1e200))
    made = plan(catalogue(x="a + 1", y="strs", z="a * a", w="z + 1"))
    assert calculate(warehouse, made, on("06-01"), on("06-02")) == {"rows": 1, "metrics": 1, "problems": 3}
    assert table(warehouse, "select metric, problem from ops.metric_problems order by 1") == [
        ("w", "metric w: it stands on 'z', which could not be calculated."),
        ("y", "metric y: formula: there is no metric 'strs'."),
        ("z", "metric z: formula: PostgreSQL says: value out of range: overflow."),
    ]
    assert table(warehouse, "select metric from metrics.calculated_daily") == [("x",)]


OWN = """metrics:
  - key: own
    title: Own
    definition: Counted by hand
    unit: count
    direction: higher
    minimum_n: 3
    sql: own.sql
  - {key: a, title: A, definition: A, unit: count, direction: higher, fed: kpi_values}
  - {key: twice, title: Twice, definition: Twice, unit: count, direction: higher, formula: own * 2}
"""


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str | None], Plan]:
    def planning(sql: str | None) -> Plan:
        (tmp_path / "mine.yaml").write_text(OWN)
        if sql is not None:
            (tmp_path / "own.sql").write_text(sql)
        return plan(read_catalogue([tmp_path / "mine.yaml"]))

    return planning


ROW = "select 'team' as subject_kind, 'web' as subject, :start as date"


def test_a_select_of_the_users_own(warehouse: sa.Engine, put: Put, own: Callable[[str | None], Plan]) -> None:
    made = own(
        "-- 100 % of the days\nselect 'team' as subject_kind, 'web' as subject, day::date as date, "
        "case extract(day from day) when 1 then null when 2 then 2 else 3 end as value, extract(day from day) as n\n"
        "from generate_series(:start, :end - 1, interval '1 day') as day -- ;\n;\n"
    )
    assert made.problems == {}
    calculate(warehouse, made, on("06-01"), on("06-04"))
    assert values(warehouse, "own") == [
        ("web", "06-01", None, "unknown"),
        ("web", "06-02", 2.0, "too_few"),
        ("web", "06-03", 3.0, "ok"),
    ]
    assert [value for _, _, value, _ in values(warehouse, "twice")] == [None, 4.0, 6.0]


def test_what_a_select_reads_is_known(own: Callable[[str | None], Plan]) -> None:
    made = own(
        "with issues as (select * from raw.issues), n as (select 1) select repository as subject from "
        "metrics.repository_daily join issues using (repository_id) join tags using (repository_id) cross join n "
        "join metric_values on metric = 'a' join ops.subjects using (subject)"
    )
    (part,) = [part for part in made.parts if part.metric.key == "own"]
    assert made.problems == {}
    assert made.tables(read_catalogue([part.metric.file or Path()])) == [
        "metrics.fed_daily", "metrics.repository_daily", "ops.portfolio", "ops.repository_settings", "raw.issues",
        "raw.tags",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (None, "the file does not exist; put it into"),
        ("", "it must be one SELECT and nothing else"),
        ("select 1; select 2", "it must be one SELECT and nothing else"),
        ("delete from raw.issues", "it must be one SELECT and nothing else"),
        ("selec 1", "it cannot be parsed: Invalid expression"),
        ("select (((", "it cannot be parsed: "),
        ("select * from metrics.scores", "it reads metrics.scores, which is made after calculated metrics"),
        ("select * from calculated_daily", "it reads metrics.calculated_daily, which is made after"),
        ("select * from metric_values", "it reads metrics.metric_values and names no metric"),
        ("select * from metric_values where metric = 'own'", "it reads the metric itself"),
        ("select * from metric_values where metric = 'twice'", " is a circle"),
    ],
)
def test_wrong_files_are_named(own: Callable[[str | None], Plan], sql: str | None, said: str) -> None:
    made = own(sql)
    assert any(said in problem for problem in made.problems.values()), made.problems
    assert made.problems["own"].startswith("mine.yaml, metric own: ")
    assert "twice" in made.problems


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (f"{ROW}, 1 as value, 2 as m", "its columns are subject_kind, subject, date, value, m; they must be"),
        (ROW, "its columns are subject_kind, subject, date; they must be"),
        (f"{ROW}, 1 as value from nowhere", 'PostgreSQL says: relation "nowhere" does not exist'),
        (f"{ROW}, 1 as value union all {ROW}, 2", "team web has two rows on 2025-06-01; give one per subject and day"),
        (f"{ROW.replace(':start', ':end')}, 1 as value", "team web has a row on 2025-06-02; only days from :start"),
        (f"{ROW.replace(':start', 'now()')}, 1 as value", "is no date; write it as date::date"),
        (f"{ROW.replace('team', 'group')}, 1 as value", "subject_kind 'group' is none; use one of repository"),
        (f"{ROW.replace('web', '')}, 1 as value", "subject '' of a team is no name"),
        (f"{ROW}, 'x' as value", "value 'x' of team web on 2025-06-01 is no number"),
        (f"{ROW}, true as value", "value True of team web on 2025-06-01 is no number"),
        (f"{ROW}, 1 as value, 1.5 as n", "is no whole number"),
        (f"{ROW}, nextval('numbers') as value", "cannot execute nextval() in a read-only transaction"),
        (
            f"{ROW}, 1 as value ) as x; drop table raw.issues; select (1",
            "mine.yaml, metric own: sql own.sql: it cannot",
        ),
    ],
)
def test_wrong_rows_are_named_and_nothing_is_written_by_a_select(
    warehouse: sa.Engine, put: Put, own: Callable[[str | None], Plan], sql: str, said: str
) -> None:
    with warehouse.begin() as connection:
        connection.exec_driver_sql("create sequence numbers")
    calculate(warehouse, own(sql), on("06-01"), on("06-02"))
    ((problem,),) = table(warehouse, "select problem from ops.metric_problems where metric = 'own'")
    assert said in problem
    assert "mine.yaml, metric own: sql own.sql: " in problem
    assert table(warehouse, "select * from metrics.calculated_daily") == []
    assert table(warehouse, "select count(*) from raw.issues") == [(0,)]


def test_a_value_that_is_no_number_is_unknown(
    warehouse: sa.Engine, put: Put, own: Callable[[str | None], Plan]
) -> None:
    calculate(warehouse, own(f"{ROW}, 'NaN'::float as value"), on("06-01"), on("06-02"))
    assert values(warehouse, "own") == [("web", "06-01", None, "unknown")]


# The same as Python makes of it.

Frame = dict[tuple[str, int], float | None]  # (metric, day): value; without a row where a key is missing
DAYS = 6
_numbers = st.sampled_from([0.0, 1.0, -2.0, 3.5, 10.0])
_frames = st.dictionaries(
    st.tuples(st.sampled_from(FED), st.integers(0, DAYS - 1)), st.none() | _numbers, min_size=4, max_size=18
)
_leaves = st.sampled_from(FED) | _numbers.map(repr) | st.builds(
    "{}({}, {})".format, st.sampled_from(["sum", "avg", "min", "max", "lag", "delta"]), st.sampled_from(FED),
    st.integers(1, 3),
)  # fmt: skip
_formulas = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*/"), inner),
        st.builds("{}({})".format, st.sampled_from(["abs", "sqrt", "ln", "log10", "exp", "round", "-"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["least", "greatest", "coalesce"]), inner, inner),
    ),
    max_leaves=5,
)


class _Unknown(Exception):
    pass


def python_value(formula: str, frame: Frame, day: int) -> float | None:
    """What a formula is on a day, by Python's own rules for numbers."""

    def known(key: str, at: int) -> float:
        value = frame.get((key, at))
        if value is None:
            raise _Unknown
        return value

    def window(how: Callable[[list[float]], float]) -> Callable[[str, int], Callable[[], float]]:
        return lambda key, days: lambda: how([known(key, day - back) for back in range(days)])

    def lazily(how: Callable[..., float]) -> Callable[..., Callable[[], float]]:
        return lambda *parts: lambda: how(*(part() for part in parts))

    def coalesce(first: Callable[[], float], second: Callable[[], float]) -> Callable[[], float]:
        def either() -> float:
            try:
                return first()
            except (_Unknown, ValueError, ZeroDivisionError, OverflowError):
                return second()

        return either

    import ast

    functions: dict[str, Any] = {
        "sum": window(sum), "avg": window(lambda found: sum(found) / len(found)), "min": window(min),
        "max": window(max), "lag": lambda key, days: lambda: known(key, day - days),
        "delta": lambda key, days: lambda: known(key, day) - known(key, day - days),
    }  # fmt: skip
    plain: dict[str, Any] = {
        "abs": abs, "sqrt": math.sqrt, "ln": math.log, "log10": math.log10, "exp": _exp, "round": round,
        "least": min, "greatest": max,
    }  # fmt: skip
    operators: dict[type, Callable[[float, float], float]] = {
        ast.Add: lambda x, y: x + y, ast.Sub: lambda x, y: x - y, ast.Mult: lambda x, y: x * y,
        ast.Div: lambda x, y: x / y,
    }  # fmt: skip

    def build(node: ast.expr) -> Callable[[], float]:
        if isinstance(node, ast.Constant):
            number = float(node.value)  # type: ignore[arg-type]
            return lambda: number
        if isinstance(node, ast.Name):
            key = node.id
            return lambda: known(key, day)
        if isinstance(node, ast.UnaryOp):
            operand = build(node.operand)
            return lambda: -operand()
        if isinstance(node, ast.BinOp):
            return lazily(operators[type(node.op)])(build(node.left), build(node.right))
        assert isinstance(node, ast.Call)
        assert isinstance(node.func, ast.Name)
        if node.func.id in functions:
            metric_node, days = node.args
            assert isinstance(metric_node, ast.Name)
            assert isinstance(days, ast.Constant)
            return functions[node.func.id](metric_node.id, days.value)  # type: ignore[no-any-return]
        parts = [build(one) for one in node.args]
        return coalesce(*parts) if node.func.id == "coalesce" else lazily(plain[node.func.id])(*parts)

    try:
        return build(ast.parse(formula, mode="eval").body)()
    except (_Unknown, ValueError, ZeroDivisionError, OverflowError):
        return None


def _exp(value: float) -> float:
    if value > 700:
        raise OverflowError
    return 0.0 if value < -700 else math.exp(value)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=_frames, formula=_formulas)
def test_a_formula_is_what_python_makes_of_it(warehouse: sa.Engine, frame: Frame, formula: str) -> None:
    try:
        compiled = compile_formula(metric("x", formula=formula), catalogue().metrics)
    except CatalogueError as error:
        assert "it names no metric" in str(error)  # noqa: PT017
        return
    start = date(2025, 6, 1)
    with warehouse.begin() as connection:
        connection.exec_driver_sql("delete from metrics.fed_daily")
        for (key, day), value in frame.items():
            connection.execute(
                sa.text(
                    "insert into metrics.fed_daily (metric, subject_kind, subject, date, value, state) "
                    "values (:metric, 'team', 'web', :date, :value, :state)"
                ),
                {
                    "metric": key, "date": start + timedelta(days=day), "value": value,
                    "state": "unknown" if value is None else "ok",
                },
            )  # fmt: skip
    calculate(warehouse, Plan([compiled]), start, start + timedelta(days=DAYS))
    with warehouse.connect() as connection:
        found = {
            (row.date - start).days: row.value
            for row in connection.execute(sa.text("select date, value from metrics.calculated_daily"))
        }
    assert set(found) <= set(range(DAYS))
    for day, value in found.items():
        expected = python_value(formula, frame, day)
        assert (value is None) == (expected is None), (day, value, expected)
        if expected is not None:
            assert math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9), day
    required = [key for key in FED if re.search(rf"\b{key}\b", formula) and "coalesce" not in formula]
    if required:
        assert set(found) == {day for day in range(DAYS) if all((key, day) in frame for key in required)}


def test_the_examples_of_the_manual_can_be_calculated(warehouse: sa.Engine, put: Put, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "feeds.md").read_text()
    (tmp_path / "mine.yaml").write_text(text.split("```yaml\n")[1].split("```")[0])
    (tmp_path / "stale_issues.sql").write_text(text.split("```sql\n")[1].split("```")[0])
    built_in = [Path(catalogue_package.__file__).parent / "metrics" / "packages.yaml"]
    made = plan(read_catalogue([*built_in, tmp_path / "mine.yaml"]))
    assert made.problems == {}
    assert len(made.parts) == 3
    calculate(warehouse, made, on("06-01"), on("06-03"))


def test_every_calculated_metric_of_the_catalogue_can_be_calculated(warehouse: sa.Engine, put: Put) -> None:
    made = plan(load_catalogue())
    assert made.problems == {}
    assert calculate(warehouse, made, on("06-01"), on("06-03"))["metrics"] == len(made.parts)
