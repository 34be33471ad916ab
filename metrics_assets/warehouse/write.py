"""Writing records: COPY into a staging table, then one upsert. The only way from a source into raw.*.

Here, too, people lose their names: a field of type `Account` becomes `<field>_key`, a keyed hash of the login,
and `<field>_is_bot`. The key is the warehouse's own secret, so hashes of two installations cannot be compared.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import hmac
import io
import typing
from collections.abc import Iterable, Sequence
from functools import cache
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
    columns = _columns(record_type)
    unique = {tuple(getattr(record, key) for key in _key_fields(record_type)): record for record in records}
    staging = f"staging_{record_type.TABLE.replace('.', '_')}"
    names = [name for name, _ in columns]
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"create temp table if not exists {staging} (like {record_type.TABLE}) on commit delete rows")
        cursor.execute(f"truncate {staging}")
        cursor.copy_expert(
            f"copy {staging} ({', '.join(names)}) from stdin (format csv)", _csv(unique.values(), columns, people)
        )
        keys = record_type.KEY
        rest = [name for name in names if name not in keys]
        changed = _assignments(record_type.TABLE, rest)
        cursor.execute(
            f"insert into {record_type.TABLE} as kept ({', '.join(names)}) "
            f"select {', '.join(names)} from {staging} "
            f"on conflict ({', '.join(keys)}) do {changed}"
        )
        return int(cursor.rowcount)
    finally:
        cursor.close()


def _assignments(table: str, columns: list[str]) -> str:
    if not columns:
        return "nothing"
    # A commit that was once seen on the default branch stays on it, also when it is met again from a tag.
    new = {
        name: "kept.on_default_branch or excluded.on_default_branch"
        if (table, name) == ("raw.commits", "on_default_branch")
        else f"excluded.{name}"
        for name in columns
    }
    sets = ", ".join(f"{name} = {value}" for name, value in new.items())
    old = ", ".join(f"kept.{name}" for name in columns)
    return f"update set {sets} where ({old}) is distinct from ({', '.join(new.values())})"


@cache
def _columns(record_type: type[Record]) -> list[tuple[str, str]]:
    """Pairs of column and how to get it: 'plain', or for accounts 'key:<field>' and 'bot:<field>'."""
    hints = typing.get_type_hints(record_type)
    columns: list[tuple[str, str]] = []
    for field in dataclasses.fields(record_type):
        hint = hints[field.name]
        if hint is Account or Account in typing.get_args(hint):
            columns += [(f"{field.name}_key", f"key:{field.name}"), (f"{field.name}_is_bot", f"bot:{field.name}")]
        else:
            columns.append((field.name, "plain"))
    return columns


def _key_fields(record_type: type[Record]) -> tuple[str, ...]:
    return tuple(key.removesuffix("_key") if key == "person_key" else key for key in record_type.KEY)


def _csv(records: Iterable[Record], columns: list[tuple[str, str]], people: PersonKeys) -> io.StringIO:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for record in records:
        writer.writerow([_cell(record, name, how, people) for name, how in columns])
    buffer.seek(0)
    return buffer


def _cell(record: Record, name: str, how: str, people: PersonKeys) -> Any:
    if how == "plain":
        return _text(getattr(record, name))
    kind, field = how.split(":", 1)
    account: Account | None = getattr(record, field)
    if account is None:
        return None
    return people.key(account) if kind == "key" else people.is_bot(account)


def _text(value: Any) -> Any:
    """A value as COPY's CSV reads it. An empty string would read as null, and NUL cannot be stored at all."""
    if isinstance(value, list):
        items = ",".join('"' + str(item).replace("\0", "").replace("\\", "\\\\").replace('"', '\\"') + '"' for item in value)
        return "{" + items + "}"
    if isinstance(value, str):
        return value.replace("\0", "") or None
    return value
