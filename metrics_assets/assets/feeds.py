"""What people feed as files: values from outside, events, evidence for gates, and what they decided about incidents."""

import contextlib
import dataclasses
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from metrics_assets import settings as configuration
from metrics_assets.assets.shared import COLLECT, Shared, Warehouse, key_of, markdown_table
from metrics_assets.catalogue.gates import load_gates
from metrics_assets.catalogue.metrics import load_catalogue
from metrics_assets.errors import MetricsError
from metrics_assets.settings import Settings
from metrics_assets.sources.files.layouts import LAYOUTS, Known, Layout
from metrics_assets.sources.files.reading import FedFile, Rejected, fed_files
from metrics_assets.sources.records import Account
from metrics_assets.warehouse.frames import copy_rows
from metrics_assets.warehouse.write import PersonKeys

FEEDS_POOL = "feeds"
CHECK = "rows_taken"
TABLES = {
    "raw.kpi_values": "Values of figures that nothing here can collect, fed as kpi_values.csv or with SQL.",
    "raw.events": "What happened outside, fed as events.csv or with SQL: talks, launches, outages, funding.",
    "raw.gate_evidence": "What people decided about criteria of gates, fed as gate_evidence.csv or with SQL.",
    "raw.incident_corrections": "Which deployment caused an incident or did not, as people decided; fed as "
    "incident_links.csv or with SQL.",
}
# Rows that go to the database at once, bad rows of a file that are kept there, and how many a person is shown.
_BATCH = 20_000
_MOST_KEPT = 1_000
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Fed:
    """What became of a file.

    Attributes:
        written: rows that were new or changed.
        replaced: lines for which a later line of the same file says something else.
    """

    name: str
    table: str
    read: int
    written: int
    rejected_count: int
    rejected: tuple[Rejected, ...]
    remarks: tuple[str, ...]
    replaced: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Feeder:
    """Reads the folder into the warehouse. It knows nothing of Dagster. Reading it again changes nothing."""

    engine: sa.Engine
    folder: Path
    known: Known

    def feed(self, tables: Collection[str] = tuple(TABLES)) -> tuple[list[Fed], list[str]]:
        """Read every file of some tables; what became of each, and what is to be said of other files.

        Files are read in the order of their names, and what a later line or file says of the same key counts. A row
        that leaves its file stays in the table.
        """
        files, remarks = fed_files(self.folder)
        found: list[Fed] = []
        for layout in LAYOUTS:
            if layout.table in tables:
                of_layout = [file for file in files if file.layout is layout]
                found += self._feed(layout, of_layout)
                remarks += _write_rejected(of_layout)
        return found, remarks

    def _feed(self, layout: Layout, files: Sequence[FedFile]) -> list[Fed]:
        """Take the files of a table in one transaction."""
        names = [one.name for one in dataclasses.fields(layout.record)]
        with self.engine.begin() as connection:
            connection.execute(sa.text("select pg_advisory_xact_lock(hashtext(:table))"), {"table": layout.table})
            connection.exec_driver_sql(
                f"create temp table feeding on commit drop as select {', '.join(names)}, file, line, 0 as position "
                f"from {layout.table} with no data"
            )
            for position, file in enumerate(files):
                self._stage(connection, file, position, [*names, "file", "line", "position"])
            written = _upsert(connection, layout, names)
            replaced = _replaced(connection, layout, names)
            _keep_rejected(connection, layout, files)
            fed = [
                Fed(
                    name=file.name,
                    table=layout.table,
                    read=file.rows_read,
                    written=written.get(file.name, 0),
                    rejected_count=file.rows_rejected,
                    rejected=tuple(file.rejected),
                    remarks=tuple(file.remarks),
                    replaced=tuple(replaced.get(file.name, ())),
                )
                for file in files
            ]
            _note(connection, files, fed)
            connection.exec_driver_sql("drop table feeding")
        return fed

    def _stage(self, connection: sa.Connection, file: FedFile, position: int, columns: Sequence[str]) -> None:
        lines: list[str] = []
        for line, record in file.rows(self.known):
            values = [getattr(record, one.name) for one in dataclasses.fields(record)]
            lines.append(",".join(_cell(value) for value in [*values, file.name, line, position]) + "\n")
            if len(lines) >= _BATCH:
                copy_rows(connection, "feeding", columns, io.StringIO("".join(lines)))
                lines.clear()
        if lines:
            copy_rows(connection, "feeding", columns, io.StringIO("".join(lines)))


def feeder(settings: Settings, engine: sa.Engine, people: PersonKeys) -> Feeder:
    """The feeder of an installation.

    Raises:
        CatalogueError: a file of the catalogue is wrong.
    """
    metrics = load_catalogue().metrics.values()
    known = Known(
        metrics={metric.key: metric.unit for metric in metrics if metric.fed == "kpi_values"},
        others={
            metric.key: f"is counted from events.csv; feed events of kind '{metric.kind}' there"
            if metric.fed
            else "is not fed: it is made from what is collected"
            for metric in metrics
            if metric.fed != "kpi_values"
        },
        gates={
            gate.key: {one.key for group in gate.groups for one in group.criteria} for gate in load_gates().values()
        },
        today=datetime.now(UTC).date(),
        person=lambda login: people.key(Account(login)),
    )
    return Feeder(engine, feeds_folder(settings), known)


def feeds_folder(settings: Settings) -> Path:
    """The watched folder: `feeds`, beside metrics.yaml."""
    return configuration.config_path().resolve().parent / settings.feeds.expanduser()


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """When each fed file of the folder was changed (nanoseconds), and its size, by name."""
    seen: dict[str, tuple[int, int]] = {}
    for file in fed_files(folder)[0]:
        with contextlib.suppress(FileNotFoundError):  # it went in this moment
            status = file.path.stat()
            seen[file.name] = (status.st_mtime_ns, status.st_size)
    return seen


def _upsert(connection: sa.Connection, layout: Layout, names: Sequence[str]) -> dict[str, int]:
    """Take what was staged into the table; how many rows each file added or changed."""
    keys = layout.record.KEY
    rest = [name for name in names if name not in keys]
    ours, theirs = (f"row({', '.join(f'{side}.{name}' for name in rest)})" for side in ("kept", "excluded"))
    sets = ", ".join(f"{name} = excluded.{name}" for name in [*rest, "file", "line"])
    rows = connection.exec_driver_sql(
        f"with changed as (insert into {layout.table} as kept ({', '.join(names)}, file, line) "
        f"select distinct on ({', '.join(keys)}) {', '.join(names)}, file, line from feeding "
        f"order by {', '.join(keys)}, position desc, line desc "
        f"on conflict ({', '.join(keys)}) do update set {sets}, "
        f"loaded_at = case when {ours} is distinct from {theirs} then now() else kept.loaded_at end "
        f"where {ours} is distinct from {theirs} or kept.file is distinct from excluded.file "
        f"or kept.line is distinct from excluded.line returning file) "
        "select file, count(*) from changed group by file"
    )
    return {str(file): int(count) for file, count in rows}


def _replaced(connection: sa.Connection, layout: Layout, names: Sequence[str]) -> dict[str, list[int]]:
    """The lines for which a later line of the same file says something else."""
    keys = layout.record.KEY
    said = f"array[{', '.join(f'{name}::text' for name in names if name not in keys)}]"
    rows = connection.exec_driver_sql(
        f"select file, line from (select file, line, {said} as said, lead({said}) over same as later "
        f"from feeding window same as (partition by file, {', '.join(keys)} order by line)) as lines "
        "where later is not null and said is distinct from later order by file, line limit 1000"
    )
    found: dict[str, list[int]] = {}
    for file, line in rows:
        found.setdefault(file, []).append(line)
    return found


def _keep_rejected(connection: sa.Connection, layout: Layout, files: Sequence[FedFile]) -> None:
    """Make ops.rejected_rows say what is wrong now: what was mended leaves it, and what is new comes in."""
    rows = [
        {"file": file.name, "line": row.line, "content": row.content, "problem": row.problem}
        for file in files
        for row in file.rejected[:_MOST_KEPT]
    ]
    connection.execute(
        sa.text(
            "delete from ops.rejected_rows as kept where lower(file) like :files and not exists ("
            "select 1 from unnest(cast(:names as text[]), cast(:lines as integer[])) as now (file, line) "
            "where now.file = kept.file and now.line = kept.line)"
        ),
        {
            "files": layout.name.replace("_", r"\_") + "%",
            "names": [row["file"] for row in rows],
            "lines": [row["line"] for row in rows],
        },
    )
    if rows:
        connection.execute(
            sa.text(
                "insert into ops.rejected_rows as kept (file, line, content, problem) "
                "values (:file, :line, :content, :problem) on conflict (file, line) do update set "
                "content = excluded.content, problem = excluded.problem, rejected_at = now() "
                "where (kept.content, kept.problem) is distinct from (excluded.content, excluded.problem)"
            ),
            rows,
        )


def _note(connection: sa.Connection, files: Sequence[FedFile], fed: Sequence[Fed]) -> None:
    rows = [
        {
            "file": file.name,
            "checksum": file.checksum,
            "read": one.read,
            "written": one.written,
            "rejected": one.rejected_count,
        }
        for file, one in zip(files, fed, strict=True)
        if file.checksum  # it could be read
    ]
    if rows:
        connection.execute(
            sa.text(
                "insert into ops.fed_files as kept (file, checksum, rows_read, rows_written, rows_rejected) "
                "values (:file, :checksum, :read, :written, :rejected) on conflict (file, checksum) do update set "
                "rows_read = excluded.rows_read, rows_written = kept.rows_written + excluded.rows_written, "
                "rows_rejected = excluded.rows_rejected, loaded_at = now()"
            ),
            rows,
        )


def _write_rejected(files: Sequence[FedFile]) -> list[str]:
    """Put the bad rows of every file beside it; where the folder cannot be written to, say so."""
    remarks = []
    for file in files:
        try:
            file.write_rejected()
        except OSError as error:
            remarks.append(
                f"The bad rows of {file.name} could not be written beside it ({error.strerror}); they are in "
                "ops.rejected_rows."
            )
    return remarks


def _cell(value: Any) -> str:
    """A value as COPY's CSV reads it: in quotes it is a value, also an empty one; nothing is null."""
    if value is None:
        return ""
    text = repr(value) if isinstance(value, float) else str(value)
    # Halves of characters cannot be stored.
    return '"' + text.encode("utf-8", "replace").decode("utf-8").replace('"', '""') + '"'


def feed_assets(shared: Shared) -> list[dg.AssetsDefinition]:
    """The one asset that reads the folder, in the pool `feeds`."""

    @dg.multi_asset(
        name="read_feeds",
        specs=[
            shared.spec(table, COLLECT, {"csv", "postgres"}, text).replace_attributes(skippable=True)
            for table, text in TABLES.items()
        ],
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=key_of(table),
                description="Every row of the fed files could be taken. Rows that could not are listed by file and "
                "line; they are in ops.rejected_rows and in a file beside theirs.",
            )
            for table in TABLES
        ],
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=FEEDS_POOL,
    )
    def feeds(context: dg.AssetExecutionContext, warehouse: Warehouse) -> Iterator[dg.MaterializeResult[Any]]:
        try:
            reading = feeder(shared.settings, warehouse.engine, warehouse.people(shared.settings))
        except MetricsError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        selected = [table for table in TABLES if key_of(table) in context.selected_asset_keys]
        checked = {handle.asset_key for handle in context.selected_asset_check_keys}
        fed, remarks = reading.feed(selected)
        for line in [*(text for one in fed for text in sentences(one)), *remarks]:
            context.log.info(line)
        for table in selected:
            of_table = [one for one in fed if one.table == table]
            yield dg.MaterializeResult(
                asset_key=key_of(table),
                metadata=_metadata(warehouse.engine, reading.folder, table, of_table, remarks),
                check_results=[_check(table, of_table)] if key_of(table) in checked else [],
            )

    return [feeds]


def sentences(fed: Fed) -> list[str]:
    """What a person is told of a file: a line of figures, then what is to be said of it."""
    figures = f"{fed.name}: {fed.read} rows read, {fed.written} new or changed, {fed.rejected_count} not taken"
    lines = [figures, *(f"{fed.name} {remark}." for remark in fed.remarks)]
    if fed.replaced:
        numbers = ", ".join(str(line) for line in fed.replaced[:_MOST_SHOWN])
        more = " and more" if len(fed.replaced) > _MOST_SHOWN else ""
        lines.append(f"{fed.name}: later lines say something else than line {numbers}{more}; the later count.")
    return lines


def _metadata(
    engine: sa.Engine, folder: Path, table: str, fed: Sequence[Fed], remarks: Sequence[str]
) -> dict[str, Any]:
    with engine.connect() as connection:
        total = connection.execute(sa.text(f"select count(*) from {table}")).scalar_one()
    metadata: dict[str, Any] = {
        "dagster/row_count": total,
        "files": markdown_table(
            ["file", "rows read", "new or changed", "not taken"],
            [[one.name, one.read, one.written, one.rejected_count] for one in fed],
        )
        if fed
        else f"Nothing is fed: {folder} has no such file.",
        "rows_read": sum(one.read for one in fed),
        "rows_changed": sum(one.written for one in fed),
        "rows_rejected": sum(one.rejected_count for one in fed),
    }
    said = [*(text for one in fed for text in sentences(one)[1:]), *remarks]
    if said:
        metadata["remarks"] = markdown_table(["remarks"], [[text] for text in said[:_MOST_SHOWN]])
    rejected = [[one.name, row.line, row.problem] for one in fed for row in one.rejected]
    if rejected:
        metadata["rejected"] = markdown_table(["file", "line", "problem"], rejected[:_MOST_SHOWN])
    return metadata


def _check(table: str, fed: Sequence[Fed]) -> dg.AssetCheckResult:
    problems = [f"{one.name}, line {row.line}: {row.problem}" for one in fed for row in one.rejected]
    count = sum(one.rejected_count for one in fed)
    more = f" And {count - _MOST_SHOWN} more, see ops.rejected_rows." if count > _MOST_SHOWN else ""
    return dg.AssetCheckResult(
        check_name=CHECK,
        asset_key=key_of(table),
        passed=not count,
        severity=dg.AssetCheckSeverity.WARN,
        description=(" ".join(problems[:_MOST_SHOWN]) + more) or "Every row was taken.",
        metadata={"rejected": count},
    )
