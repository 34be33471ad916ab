"""Metrics that are calculated from others: formulas as SQL, and the order in which they can be calculated.

A formula is made of metric keys, numbers, + - * / and parentheses, and of these functions:

- abs(x), sqrt(x), ln(x), log10(x), exp(x), round(x), least(a, b, ...), greatest(a, b, ...)
- coalesce(a, b, ...): the first that is known
- sum, avg, min, max(metric, days): over the `days` days up to the day, which must all be known; of a metric that has
  one value a week, over its weeks
- lag(metric, days): its value so many days before; delta(metric, days): metric - lag(metric, days)
- total(metric): the sum of the metric over all of its subjects, for the portfolio

It has a row for every subject and day that all of its metrics have a row of; those within coalesce may be missing.
The value is unknown where a part is unknown, and where it is divided by 0 or has no logarithm or root. Of the parts'
states the worst is the formula's, and the smallest n.
"""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from metrics_assets.catalogue.metrics import Metric
from metrics_assets.errors import CatalogueError

# Tables that are made from calculated metrics among others, so that what is in them cannot be a part of one.
COME_AFTER = frozenset({"scores", "goals_daily", "gate_evaluations", "anomalies"})
# The temporary table that formulas read: the parts' rows, with the state as a rank, the worst the highest.
INPUTS = "formula_inputs"
STATES = ("ok", "provisional", "too_few", "unknown")
# Whose sum total() is: of the finest subjects that the metric has rows of on the day.
_FINEST = ("repository", "package", "community", "segment", "service", "environment", "team", "portfolio")
_WINDOWS = ("sum", "avg", "min", "max", "lag", "delta")
_FUNCTIONS = {
    # What has no value gives null: an error would take the values of all other days with it.
    "abs": "abs({0})",
    "sqrt": "case when {0} >= 0 then sqrt({0}) end",
    "ln": "ln(nullif(greatest({0}, 0), 0))",
    "log10": "log(nullif(greatest({0}, 0), 0))",
    "exp": "case when {0} < -700 then 0 when {0} <= 700 then exp({0}) end",
    "round": "round({0})",
}
_LISTS = ("least", "greatest", "coalesce")
_OPERATORS = {
    ast.Add: "({0} + {1})",
    ast.Sub: "({0} - {1})",
    ast.Mult: "({0} * {1})",
    ast.Div: "({0} / nullif({1}, 0))",
}
_ALLOWED = f"use + - * / ( ), {', '.join((*_FUNCTIONS, *_LISTS, *_WINDOWS))} and total"
_LONGEST_WINDOW = 366
_LONGEST_SQL = 50_000


@dataclass(frozen=True, slots=True)
class Formula:
    """A compiled formula.

    Attributes:
        reads: the metrics that it is made of, and how many days before the range it needs of each.
        sql: a SELECT over the table `INPUTS` with the parameters :start and :end; its columns are metric,
            subject_kind, subject, date, value, n and state.
    """

    metric: Metric
    reads: Mapping[str, int]
    sql: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a formula: its value, and the columns whose smallest is its n and whose largest is its state."""

    value: str
    n: tuple[str, ...] = ()
    rank: tuple[str, ...] = ()


@dataclass(slots=True)
class _Source:
    """A metric that is read, as it is or in total: its columns besides the plain ones, and how far it reaches back."""

    alias: str
    is_total: bool
    columns: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    days_before: int = 0
    is_required: bool = False


def compile_formula(metric: Metric, metrics: Mapping[str, Metric]) -> Formula:
    """Compile a metric's formula over some metrics.

    Raises:
        CatalogueError: what is wrong, with file and metric.
    """
    try:
        return _Compiler(metric, metrics).formula()
    except _Wrong as error:
        raise CatalogueError(f"{about(metric)}: formula: {error}.") from None


def about(metric: Metric) -> str:
    """How messages name a metric: 'own.yaml, metric stars_per_fork'."""
    return f"{metric.file.name}, metric {metric.key}" if metric.file else f"metric {metric.key}"


class _Wrong(Exception):
    """What is wrong with a formula; the caller knows whose it is."""


class _Compiler:
    def __init__(self, metric: Metric, metrics: Mapping[str, Metric]) -> None:
        self._metric = metric
        self._metrics = metrics
        self._sources: dict[tuple[str, bool], _Source] = {}

    def formula(self) -> Formula:
        text = " ".join((self._metric.formula or "").split())
        try:
            tree = ast.parse(text, mode="eval").body
            whole = self._piece(tree, required=True)
        except SyntaxError as error:
            place = f" near '{text[max(0, (error.offset or 1) - 1) :][:20]}'" if error.offset else ""
            raise _Wrong(f"'{text}' cannot be read{place}; {_ALLOWED}") from None
        except (RecursionError, MemoryError, ValueError):
            raise _Wrong("it is too long or holds what is no text; write it in several metrics") from None
        if not self._sources:
            raise _Wrong("it names no metric, so it has no days; name at least one")
        reads: dict[str, int] = {}
        for (key, _), source in self._sources.items():
            reads[key] = max(reads.get(key, 0), source.days_before)
        return Formula(self._metric, reads, self._sql(whole))

    def _piece(self, node: ast.expr, *, required: bool) -> _Piece:
        piece = self._unchecked(node, required)
        if len(piece.value) > _LONGEST_SQL:
            raise _Wrong("it is too long; write it in several metrics")
        return piece

    def _unchecked(self, node: ast.expr, required: bool) -> _Piece:
        if isinstance(node, ast.Constant):
            return _Piece(_constant(node.value))
        if isinstance(node, ast.Name):
            return self._plain(node.id, required)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            operand = self._piece(node.operand, required=required)
            return operand if isinstance(node.op, ast.UAdd) else _combined("(- {0})", [operand])
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            sides = [self._piece(node.left, required=required), self._piece(node.right, required=required)]
            return _combined(_OPERATORS[type(node.op)], sides)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, node.args, required)
        raise _Wrong(f"'{ast.unparse(node)}' is not allowed; {_ALLOWED}")

    def _call(self, name: str, arguments: list[ast.expr], required: bool) -> _Piece:
        if name in _FUNCTIONS:
            if len(arguments) != 1:
                raise _Wrong(f"{name} takes one value, not {len(arguments)}")
            return _combined(_FUNCTIONS[name], [self._piece(arguments[0], required=required)])
        if name in _LISTS:
            if len(arguments) < 2:
                raise _Wrong(f"{name} takes two values or more, not {len(arguments)}")
            pieces = [self._piece(one, required=required and name != "coalesce") for one in arguments]
            return _first_known(pieces) if name == "coalesce" else _extreme(name, pieces)
        if name in _WINDOWS:
            return self._window(name, arguments, required)
        if name == "total":
            if len(arguments) != 1 or not isinstance(arguments[0], ast.Name):
                raise _Wrong("total takes the key of one metric, as in total(downloads)")
            alias = self._source(arguments[0].id, required, is_total=True).alias
            return _Piece(f"{alias}.value", (f"{alias}.n",), (f"{alias}.rank",))
        known = (*_FUNCTIONS, *_LISTS, *_WINDOWS, "total")
        raise _Wrong(f"there is no function '{name}'; {_near(name, known) or _ALLOWED}")

    def _plain(self, key: str, required: bool) -> _Piece:
        alias = self._source(key, required).alias
        return _Piece(f"{alias}.value", (f"{alias}.n",), (f"{alias}.rank",))

    def _window(self, name: str, arguments: list[ast.expr], required: bool) -> _Piece:
        if len(arguments) != 2 or not isinstance(arguments[0], ast.Name):
            other = {"min": "least", "max": "greatest"}.get(name)
            hint = f"; the {name} of several values is {other}(a, b)" if other else ""
            raise _Wrong(f"{name} takes the key of a metric and a number of days, as in {name}(commits, 7){hint}")
        days = arguments[1].value if isinstance(arguments[1], ast.Constant) else None
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= _LONGEST_WINDOW:
            raise _Wrong(
                f"{name}: '{ast.unparse(arguments[1])}' is no number of days; write a whole number from 1 to "
                f"{_LONGEST_WINDOW}"
            )
        key = arguments[0].id
        if name == "delta":
            now, before = self._plain(key, required), self._window("lag", arguments, required)
            return _combined("({0} - {1})", [now, before])
        source = self._source(key, required)
        weekly = self._metrics[key].table is not None and self._metrics[key].grain == "week"
        if weekly and days % 7:
            raise _Wrong(f"{name}: '{key}' has one value a week; write a number of days that 7 divides, not {days}")
        source.days_before = max(source.days_before, days if name == "lag" else days - 1)
        column = f"{name}_{days}"
        source.columns[column] = _windowed(name, days, days // 7 if weekly else days)
        column = f"{source.alias}.{column}"
        return _Piece(column, (f"{column}_n",), (f"{column}_rank",))

    def _source(self, key: str, required: bool, *, is_total: bool = False) -> _Source:
        if key == self._metric.key:
            raise _Wrong(f"'{key}' is the metric itself; a metric cannot stand on itself")
        metric = self._metrics.get(key)
        if metric is None:
            near = _near(key, self._metrics)
            raise _Wrong(f"there is no metric '{key}'{f'; {near}' if near else ''}")
        if metric.table in COME_AFTER:
            what = "is a score" if metric.table == "scores" else f"stands in {metric.table}"
            raise _Wrong(f"'{key}' {what}, and those are made after calculated metrics; leave it out")
        source = self._sources.setdefault((key, is_total), _Source(f"part_{len(self._sources) + 1}", is_total))
        source.is_required |= required
        return source

    def _sql(self, whole: _Piece) -> str:
        parts = [
            f"{source.alias} as ({(_total if source.is_total else _rows)(key, source)})"
            for (key, _), source in self._sources.items()
        ]
        required = [source.alias for source in self._sources.values() if source.is_required]
        optional = [source.alias for source in self._sources.values() if not source.is_required]
        subject = "subject_kind, subject, date"
        if required:
            joined = f"from {required[0]}"
            joined += "".join(f"\njoin {alias} using ({subject})" for alias in required[1:])
        else:
            parts.append(f"days as ({' union '.join(f'select {subject} from {alias}' for alias in optional)})")
            joined = "from days"
        joined += "".join(f"\nleft join {alias} using ({subject})" for alias in optional)
        return f"""with {", ".join(parts)},
calculated as (
select {subject}, ({whole.value})::double precision as value, {_smallest(whole.n)}::bigint as n,
    {_largest(whole.rank)} as rank
{joined}
where date >= :start and date < :end
)
select '{self._metric.key}' as metric, {subject}, value, n,
    case when value is null then 'unknown'
         when rank >= 2 or n < {self._metric.minimum_n} then 'too_few'
         when rank = 1 then 'provisional' else 'ok' end as state
from calculated"""


def _constant(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Wrong(f"{value!r} is not allowed; {_ALLOWED}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Wrong(f"{str(value)[:20]} is too large for a number")
    return f"{number!r}::double precision"


def _combined(template: str, pieces: list[_Piece]) -> _Piece:
    return _Piece(
        template.format(*(piece.value for piece in pieces)),
        tuple(dict.fromkeys(n for piece in pieces for n in piece.n)),
        tuple(dict.fromkeys(rank for piece in pieces for rank in piece.rank)),
    )


def _extreme(name: str, pieces: list[_Piece]) -> _Piece:
    """The least or greatest; PostgreSQL's own leave out what is unknown."""
    values = [piece.value for piece in pieces]
    known = " and ".join(f"{value} is not null" for value in values)
    return _combined(f"case when {known} then {name}({', '.join(values)}) end", pieces)


def _first_known(pieces: list[_Piece]) -> _Piece:
    ranks = " ".join(f"when {piece.value} is not null then {_largest(piece.rank)}" for piece in pieces)
    ns = " ".join(f"when {piece.value} is not null then {_smallest(piece.n)}" for piece in pieces)
    value = f"coalesce({', '.join(piece.value for piece in pieces)})"
    return _Piece(value, (f"case {ns} end",), (f"case {ranks} end",))


def _smallest(columns: tuple[str, ...]) -> str:
    return f"least({', '.join(columns)})" if columns else "null::bigint"


def _largest(columns: tuple[str, ...]) -> str:
    return f"greatest({', '.join(columns)})" if columns else "0"


def _windowed(name: str, days: int, needed: int) -> tuple[str, str, str]:
    """Value, n and rank of a window function over the rows of a metric, of which `needed` must be known."""
    first, last = (days, days) if name == "lag" else (days - 1, 0)
    over = (
        "over (partition by subject_kind, subject order by date "
        f"range between '{first} days' preceding and '{last} days' {'preceding' if last else 'following'})"
    )
    if name == "lag":
        return f"max(value) {over}", f"max(n) {over}", f"max(rank) {over}"
    return (
        f"case when count(value) {over} = {needed} then {name}(value) {over} end",
        f"min(n) {over}",
        f"max(rank) {over}",
    )


def _rows(key: str, source: _Source) -> str:
    windows = "".join(
        f",\n    {value} as {column}, {n} as {column}_n, {rank} as {column}_rank"
        for column, (value, n, rank) in source.columns.items()
    )
    return (
        f"select subject_kind, subject, date, value, n, rank{windows}\nfrom {INPUTS}\n"
        f"where metric = '{key}' and date >= :start - {source.days_before} and date < :end"
    )


def _total(key: str, source: _Source) -> str:
    order = f"array_position(array[{', '.join(repr(kind) for kind in _FINEST)}], subject_kind)"
    return (
        "select 'portfolio' as subject_kind, max(portfolio.portfolio) as subject, date, "
        "case when count(value) = count(*) then sum(value) end as value, min(n) as n, max(rank) as rank\n"
        f"from (select date, value, n, rank, {order} as place, min({order}) over (partition by date) as finest\n"
        f"    from {INPUTS} where metric = '{key}' and date >= :start and date < :end) as subjects\n"
        "cross join ops.portfolio as portfolio\nwhere place = finest\ngroup by date"
    )


def _near(name: str, known: Mapping[str, Metric] | tuple[str, ...]) -> str | None:
    near = difflib.get_close_matches(name, list(known), n=2)
    return f"did you mean {' or '.join(repr(one) for one in near)}?" if near else None
