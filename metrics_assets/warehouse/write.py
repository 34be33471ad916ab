"""Writing records: COPY into a staging table, then one upsert. The only way from a source into raw.*.

Here, too, people lose their names: a field of type `Account` becomes `<field>_key`, a keyed hash of the login,
and `<field>_is_bot`. The key is the warehouse's own secret, so hashes of two installations cannot be compared.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import io
import json
import typing
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from metrics_assets.sources.records import Account, Record


class PersonKeys:
    """Turns accounts into keys: the first 16 hex digits of HMAC-SHA256 over the login in lower case."""

    def __init__(self, secret: bytes, bots: Iterable[str] = ()) -> None:
        self._secret = secret
        self._bots = {login.lower() for login in bots}
        self._known: dict[str, str] = {}

    @property
    def check(self) -> str:
        """Recognises the secret without giving it away."""
        return hmac.new(self._secret, b"metrics_assets person key", hashlib.sha256).hexdigest()[:16]

    def key(self, account: Account) -> str:
        login = account.login.lower()
        if login not in self._known:
            self._known[login] = hmac.new(self._secret, login.encode(), hashlib.sha256).hexdigest()[:16]
        return self._known[login]

    def is_bot(self, account: Account) -> bool:
        return account.is_bot or account.login.lower() in self._bots


def upsert(connection: sa.Connection, records: Sequence[Record], people: PersonKeys) -> int:
    """Insert or update records, which are all of one class, by that class's key.

    Of records with the same key the last one counts. Rows that are the same already are not touched, so that a
    second run writes nothing.

    Returns:
        The number of rows inserted or changed.
    """
    if not records:
        return 0
    record_type = type(records[0])
    columns = _columns(record_type)  # type: ignore[arg-type]  # a class is hashable
    staging = f"staging_{record_type.TABLE.replace('.', '_')}"
    names = [name for name, _ in columns]
    keys = record_type.KEY
    positions = [names.index(key) for key in keys]
    rows = ([_cell(record, how, people) for _, how in columns] for record in records)
    unique = {tuple(row[position] for position in positions): row for row in rows}
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"create temp table if not exists {staging} (like {record_type.TABLE}) on commit delete rows")
        cursor.execute(f"truncate {staging}")
        cursor.copy_expert(f"copy {staging} ({', '.join(names)}) from stdin (format csv)", _csv(unique.values()))
        rest = [name for name in names if name not in keys]
        changed = _assignments(record_type.TABLE, rest, _marks_deletions(cursor, record_type.TABLE))
        cursor.execute(
            f"insert into {record_type.TABLE} as kept ({', '.join(names)}) "
            f"select {', '.join(names)} from {staging} "
            f"on conflict ({', '.join(keys)}) do {changed}"
        )
        return int(cursor.rowcount)
    finally:
        cursor.close()


def upsert_all(connection: sa.Connection, records: Iterable[Record], people: PersonKeys) -> Counter[str]:
    """Insert or update records of any classes; how many rows of each table changed."""
    changed: Counter[str] = Counter()
    for table, group in groupby(sorted(records, key=_table), key=_table):
        changed[table] = upsert(connection, list(group), people)
    return changed


def _table(record: Record) -> str:
    return record.TABLE


# Columns that a newer row does not simply replace. {0} is the column.
_MERGED = {
    # A commit that was once seen on the default branch stays on it, also when it is met again from a tag.
    ("raw.commits", "on_default_branch"): "kept.{0} or excluded.{0}",
    # Not every source of commits knows their sizes or their pull request.
    ("raw.commits", "additions"): "coalesce(excluded.{0}, kept.{0})",
    ("raw.commits", "deletions"): "coalesce(excluded.{0}, kept.{0})",
    ("raw.commits", "pull_request_number"): "coalesce(excluded.{0}, kept.{0})",
    ("raw.commits", "directories"): "coalesce(excluded.{0}, kept.{0})",
    # The provider's window of 14 days cuts its first day off: the largest figure seen is the day's.
    ("raw.traffic", "views"): "greatest(kept.{0}, excluded.{0})",
    ("raw.traffic", "unique_visitors"): "greatest(kept.{0}, excluded.{0})",
    ("raw.traffic", "clones"): "greatest(kept.{0}, excluded.{0})",
    ("raw.traffic", "unique_cloners"): "greatest(kept.{0}, excluded.{0})",
    # When it was noticed first; null again once it is no longer so.
    (
        "raw.package_releases",
        "yanked_noticed_at",
    ): ("case when excluded.is_yanked then coalesce(kept.{0}, excluded.{0}) end"),
}


def _assignments(table: str, columns: list[str], marks_deletions: bool) -> str:
    if not columns and not marks_deletions:
        return "nothing"
    new = {name: _MERGED.get((table, name), "excluded.{0}").format(name) for name in columns}
    if marks_deletions:
        new["deleted_at"] = "null"  # it is there (again)
    sets = ", ".join(f"{name} = {value}" for name, value in new.items())
    differ = " or ".join(f"kept.{name} is distinct from ({value})" for name, value in new.items())
    return f"update set {sets} where {differ}"


_deletions_marked: dict[str, bool] = {}


def _marks_deletions(cursor: Any, table: str) -> bool:
    """Whether the table has a column deleted_at; looked up once, as migrations come before rows."""
    if table not in _deletions_marked:
        cursor.execute(
            "select exists (select 1 from pg_attribute where attrelid = %s::regclass and attname = 'deleted_at' "
            "and not attisdropped)",
            (table,),
        )
        _deletions_marked[table] = bool(cursor.fetchone()[0])
    return _deletions_marked[table]


@cache
def _columns(record_type: type[Record]) -> list[tuple[str, str]]:
    """Pairs of column and how to get it: 'plain:<field>', or for accounts 'key:<field>' and 'bot:<field>'."""
    hints = typing.get_type_hints(record_type)
    columns: list[tuple[str, str]] = []
    for field in dataclasses.fields(record_type):
        hint = hints[field.name]
        if hint is Account or Account in typing.get_args(hint):
            columns += [(f"{field.name}_key", f"key:{field.name}"), (f"{field.name}_is_bot", f"bot:{field.name}")]
        else:
            columns.append((field.name, f"plain:{field.name}"))
    return columns


def _csv(rows: Iterable[Sequence[Any]]) -> io.StringIO:
    """Rows as COPY's CSV reads them: what stands in quotes is a value, also an empty one, and nothing is null."""
    lines = (",".join("" if cell is None else '"' + str(cell).replace('"', '""') + '"' for cell in row) for row in rows)
    return io.StringIO("".join(line + "\n" for line in lines))


def _cell(record: Record, how: str, people: PersonKeys) -> Any:
    kind, _, field = how.partition(":")
    value = getattr(record, field)
    if kind == "plain" or value is None:
        return _text(value)
    return people.key(value) if kind == "key" else people.is_bot(value)


def _text(value: Any) -> Any:
    """A value without what PostgreSQL cannot store: NUL, and halves of characters that JSON lets pass."""
    if isinstance(value, dict):
        return json.dumps({_text(name): _text(item) for name, item in value.items()}, ensure_ascii=False)
    if isinstance(value, list):
        items = (str(_text(item)).replace("\\", "\\\\").replace('"', '\\"') for item in value)
        return "{" + ",".join(f'"{item}"' for item in items) + "}"
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return value
