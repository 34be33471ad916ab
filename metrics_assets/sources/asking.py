"""Asking a small API: what registries and platforms have in common.

GitHub has a client of its own, because its limits and its GraphQL need one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from metrics_assets.sources.errors import BadAnswer
from metrics_assets.sources.http import Answer, ApiClient, Spent, Validator
from metrics_assets.sources.records import Record

Model = TypeVar("Model", bound=BaseModel)

# Errors go into logs and tables, where people have no names.
_PEOPLE = {"actor", "author", "committer", "creator", "display_name", "email", "login", "merged_by", "owner", "user"}


@dataclass(slots=True)
class Asker:
    """One API, asked on behalf of one subject (a package, a community).

    Attributes:
        resource: the name of its budget.
        spent: what was used.
        known: the stored validator of an address, for conditional requests.
        fresh: validators of answers that came; to be stored together with the rows made of them.
    """

    client: ApiClient
    resource: str
    spent: Spent = field(default_factory=Spent)
    known: Callable[[str], Validator | None] = lambda url: None
    fresh: dict[str, Validator] = field(default_factory=dict)

    async def get(
        self,
        path: str,
        params: Mapping[str, str | int] | None = None,
        *,
        conditional: bool = False,
        text: bool = False,
    ) -> Answer:
        """One answer; with `conditional` it may be `not_modified`, and then its rows are in the warehouse already."""
        address = f"{self.client.base_url}{path}" + (f"?{params}" if params else "")
        answer = await self.client.request(
            "GET",
            path,
            resource=self.resource,
            spent=self.spent,
            params=params,
            text=text,
            known=self.known(address) if conditional else None,
        )
        if conditional and not answer.not_modified and answer.validator:
            self.fresh[address] = answer.validator
        return answer

    async def post(self, path: str, body: Any) -> Answer:
        """One answer to posted JSON."""
        return await self.client.request("POST", path, resource=self.resource, spent=self.spent, body=body)

    def now(self) -> datetime:
        """The provider's clock, as far as its answers have told it."""
        return datetime.fromtimestamp(self.client.now(), UTC)

    def today(self) -> date:
        """The provider's day (UTC)."""
        return self.now().date()


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to be written in one transaction, with the validators of the answers that they were made of.

    Attributes:
        total_count: how many rows the provider says that the list has.
        complete_lists: tables of which this subject's rows are all in the batches so far once this one is written:
            what the warehouse holds besides is gone at the provider.
    """

    records: list[Record] = field(default_factory=list)
    validators: dict[str, Validator] = field(default_factory=dict)
    total_count: int | None = None
    complete_lists: tuple[str, ...] = ()


def parse(model: type[Model], content: Any, where: str) -> Model:
    """An answer as its model.

    Raises:
        BadAnswer: it does not fit; the text names the place, the field and what stands there.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        given = first.get("input")
        private = not first["loc"] or isinstance(given, dict | list) or not _PEOPLE.isdisjoint(first["loc"])
        shown = f"a {type(given).__name__}" if private else f"{given!r:.80}"
        what = f"{where}: {model.__name__} {_identity(content)}"
        raise BadAnswer(f"{what}: {place} is {shown} ({first['msg']}).") from None


def answered_at(answer: Answer) -> datetime:
    """The provider's own clock; ours may be off."""
    try:
        return parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        return datetime.now(UTC)


def _identity(content: Any) -> str:
    if not isinstance(content, dict):
        return f"(a {type(content).__name__})"
    return str(content.get("number") or content.get("id") or content.get("node_id") or content.get("name") or "")
