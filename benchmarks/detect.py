"""How good and how dear the anomaly detection is: labelled events, clean series, and one day of very many series.

    python benchmarks/detect.py [--series 240] [--many 20000]

Quality: daily series made here (not by the generator that the classifier learns from) with labelled events. Thresholds
are tuned on one half of the series to two false alarms per series and year and scored on the other, both ways. Every
detector alarms at most once per series and week; an event is found if an alarm falls on one of its first days; an alarm
outside of events and the days after them is false. Two plain detectors run beside: a weekday's last eight values (the
score is the distance from their mean in standard deviations) and an isolation forest per series on lags.

Cost: an embedded PostgreSQL in a temporary folder, a year of the daily metrics of many repositories, and the asset's
run over one day in a process of its own: seconds, seconds of CPU, peak memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from warehouses import warehouse

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Random = np.random.Generator

DAYS, FIRST = 730, 90
SEED = 4711
FALSE_ALARMS = 2.0  # per series and year, to which thresholds are tuned
KINDS = ("spike", "drop", "level shift", "drift", "burst", "gap")
AFTERMATH = {"spike": 3, "drop": 7, "level shift": 28, "drift": 35, "burst": 14, "gap": 7}  # days that are not false


@dataclass(frozen=True)
class Event:
    """Found by an alarm on one of the days [start, until); alarms before `over` are not false."""

    series: int
    kind: str
    start: int
    until: int
    over: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=240, help="for the measure of quality; 0: none")
    parser.add_argument("--many", type=int, default=20_000, help="series for the measure of cost; 0: none")
    parser.add_argument("--one-day", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one_day:
        _one_day(arguments.one_day)
        return
    detection_report(arguments.series, arguments.many)


def detection_report(series: int = 240, many: int = 20_000) -> None:
    """Print the tables of quality and of cost."""
    if series:
        quality(series)
        clean(series)
    if many:
        cost(many)


# Series and events.


def generate(series: int, rng: Random, *, eventful: bool) -> tuple[Floats, list[Event]]:
    """Daily counts [series, DAYS] with weekdays, growth, waves, zeros, noise and missing days, and their events."""
    values = np.empty((series, DAYS))
    events: list[Event] = []
    for number in range(series):
        rate = 10.0 ** rng.uniform(0.0 if eventful else -1.0, 2.6)
        mean = rate * _ordinary(rng)
        overdispersion = rng.choice([1e-4, 0.03, 0.08, 0.2], size=1).repeat(DAYS)
        missing = rng.random(DAYS) < (0.015 if number % 3 == 0 else 0.0)
        day = FIRST + int(rng.integers(10, 60))
        while eventful and day < DAYS - 30:
            kind = KINDS[int(rng.integers(len(KINDS)))]
            event = _event(kind, number, day, mean, overdispersion, missing, rng)
            events.append(event)
            day = event.over + int(rng.integers(45, 100))
        values[number] = rng.negative_binomial(
            1.0 / overdispersion, 1.0 / (1.0 + overdispersion * np.maximum(mean, 1e-9))
        )
        values[number, missing] = np.nan
    return values, events


def _ordinary(rng: Random) -> Floats:
    day = np.arange(DAYS)
    week = rng.dirichlet(np.full(7, 60.0)) * 7
    if rng.random() < 0.65:
        week[[5, 6]] *= rng.uniform(0.1, 0.8)
    linear = 1.0 + rng.uniform(-0.3, 1.2) * day / DAYS
    season = 1.0 + rng.uniform(0.0, 0.2) * np.cos(2 * np.pi * (day - rng.integers(365)) / 365)
    noise = np.convolve(rng.normal(0, 1, DAYS + 20), np.ones(21) / np.sqrt(21), mode="valid")
    return week[day % 7] * linear * season * np.exp(rng.choice([0.0, 0.06, 0.12]) * noise)


def _event(
    kind: str, series: int, day: int, mean: Floats, overdispersion: Floats, missing: Bools, rng: Random
) -> Event:
    level = float(np.mean(mean[day - 28 : day]))
    if kind == "spike":
        mean[day] += level * rng.uniform(0.8, 4.0) + 3 * np.sqrt(level)
        until = over = day + 2
    elif kind == "drop":
        length = int(rng.integers(2, 8))
        mean[day : day + length] *= rng.uniform(0.0, 0.35)
        until = over = day + length + 1
    elif kind == "level shift":
        mean[day:] *= rng.choice([rng.uniform(1.5, 2.5), rng.uniform(0.35, 0.65)])
        until = over = day + 14
    elif kind == "drift":
        length = int(rng.integers(30, 75))
        mean[day:] *= np.interp(
            np.arange(DAYS - day), [0, length], [1.0, rng.choice([rng.uniform(1.7, 3.0), rng.uniform(0.3, 0.6)])]
        )
        until = over = day + length
    elif kind == "burst":
        length = int(rng.integers(10, 25))
        overdispersion[day : day + length] = rng.uniform(0.5, 1.5)
        until = over = day + length
    else:
        length = int(rng.integers(3, 11))
        missing[day : day + length] = True
        until = over = day + length
    return Event(series, kind, day, min(until, DAYS), min(over + AFTERMATH[kind], DAYS))


# Detectors: a score of each series and day, the higher the more unusual.


def product_scores(values: Floats) -> Floats:
    from metrics_assets.analysis.detection import KINDS as TOLD
    from metrics_assets.analysis.detection import Panel, judge

    verdicts = judge(Panel(values, np.zeros(values.shape, dtype=bool), ["count"] * len(values)), 0)
    return np.where(verdicts.kind == TOLD.index("missing_data"), np.inf, verdicts.certainty)


def weekday_scores(values: Floats) -> Floats:
    scores = np.zeros(values.shape)
    for day in range(56, DAYS):
        past = values[:, day - 56 : day : 7]
        known = ~np.isnan(past)
        count = np.maximum(known.sum(axis=1), 1)
        mean = np.where(known, past, 0).sum(axis=1) / count
        spread = np.sqrt(np.where(known, (past - mean[:, None]) ** 2, 0).sum(axis=1) / np.maximum(count - 1, 1))
        # A missing day is no activity to it.
        scores[:, day] = np.abs(np.nan_to_num(values[:, day]) - mean) / np.maximum(spread, 1.0)
    return scores


def forest_scores(values: Floats) -> Floats:
    """A forest per series, fitted each half year on the year before; its score in deviations of the days it learnt."""
    from sklearn.ensemble import IsolationForest

    scores = np.full(values.shape, -np.inf)
    for number, series in enumerate(np.nan_to_num(values)):
        week = np.convolve(series, np.ones(7) / 7)[: len(series)]
        lags = np.stack(
            [series, *(np.roll(series, lag) for lag in (1, 2, 7, 14)), week, series - np.roll(week, 1)], axis=1
        )
        for begin in range(FIRST, DAYS, 182):
            learnt = lags[max(begin - 365, 14) : begin]
            forest = IsolationForest(n_estimators=50, random_state=1).fit(learnt)
            usual = -forest.score_samples(learnt)
            found = -forest.score_samples(lags[begin : begin + 182])
            scores[number, begin : begin + 182] = (found - np.mean(usual)) / np.std(usual)
    return scores


# Measures.


def alarms(scores: Floats, threshold: float) -> Bools:
    """At most one alarm per series and week, from FIRST on."""
    found = np.zeros(scores.shape, dtype=bool)
    last = np.full(len(scores), -7)
    for day in range(FIRST, scores.shape[1]):
        new = (scores[:, day] >= threshold) & (day - last >= 7)
        last[new] = day
        found[new, day] = True
    return found


def quiet_days(events: list[Event], shape: tuple[int, int]) -> Bools:
    """The days on which an alarm is false."""
    quiet = np.ones(shape, dtype=bool)
    quiet[:, :FIRST] = False
    for event in events:
        quiet[event.series, event.start : event.over] = False
    return quiet


def tuned(scores: Floats, quiet: Bools) -> float:
    """The lowest threshold that keeps to the false alarms."""
    low, high = -50.0, 50.0
    years = quiet.sum() / 365.25
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if (alarms(scores, middle) & quiet).sum() > FALSE_ALARMS * years else (low, middle)
    return high


def quality(series: int) -> None:
    values, events = generate(series, np.random.default_rng(SEED), eventful=True)
    quiet = quiet_days(events, values.shape)
    half = np.arange(series) % 2 == 0
    print(f"{len(events)} events in {series} series of {DAYS} days; found at {FALSE_ALARMS:g} false alarms a year:")
    print(f"  {'':32}{'all':>6}" + "".join(f"{kind:>13}" for kind in KINDS) + f"{'false':>8}")
    for name, score in (
        ("this package", product_scores),
        ("weekday profile, sigmas", weekday_scores),
        ("isolation forest per series", forest_scores),
    ):
        scores = score(values)
        told = np.zeros(values.shape, dtype=bool)
        for tune, test in ((half, ~half), (~half, half)):
            told[test] = alarms(scores[test], tuned(scores[tune], quiet[tune]))
        _row(name, told, events, quiet)
        if name == "this package":
            _row("  at its default setting", alarms(scores, 0.0), events, quiet)
        if name.startswith("weekday"):
            _row("  at 3 sigma", alarms(scores, 3.0), events, quiet)


def _row(name: str, told: Bools, events: list[Event], quiet: Bools) -> None:
    hit = np.array([told[event.series, event.start : event.until].any() for event in events])
    kinds = np.array([event.kind for event in events])
    false = (told & quiet).sum() / (quiet.sum() / 365.25)
    print(
        f"  {name:32}{hit.mean():6.2f}"
        + "".join(f"{hit[kinds == kind].mean():13.2f}" for kind in KINDS)
        + f"{false:8.2f}"
    )


def clean(series: int) -> None:
    from metrics_assets.analysis.detection import NO_KIND, Panel, judge

    values, _ = generate(series, np.random.default_rng(SEED + 1), eventful=False)
    verdicts = judge(Panel(values, np.zeros(values.shape, dtype=bool), ["count"] * series), FIRST)
    years = series * (DAYS - FIRST) / 365.25
    print(f"clean series: {(verdicts.kind != NO_KIND).sum() / years:.2f} alarms per series and year")


# Cost.

LAST_DAY = date(2025, 12, 31)
YEAR = 365


def cost(series: int) -> None:
    """Fill a warehouse with a year of about `series` series and print what its last day costs."""

    with warehouse() as engine:
        repositories = _fill(engine, series)
        engine.dispose()
        command = [sys.executable, __file__, "--one-day", engine.url.render_as_string(hide_password=False)]
        print(f"\n{repositories} repositories x {YEAR} days, one day judged in a process of its own:", flush=True)
        subprocess.run(command, check=True)


def _fill(engine: sa.Engine, series: int) -> int:
    from metrics_assets.catalogue.metrics import load_catalogue
    from metrics_assets.warehouse.columns import days_since_2000, write_columns
    from metrics_assets.warehouse.derived import table_columns

    catalogue = load_catalogue()
    watched = [key for key in catalogue.with_anomalies() if catalogue.metrics[key].table == "repository_daily"]
    repositories = -(-series // len(watched))
    rng = np.random.default_rng(SEED + 2)
    types = {column.name: column.type for column in table_columns()["metrics.repository_daily"]}
    day = np.tile(np.arange(YEAR), repositories)
    repository = np.repeat(np.arange(repositories), YEAR)
    columns: dict[str, npt.NDArray[np.generic]] = {
        "repository_id": repository.astype(float),
        "repository": np.array([f"acme/{number}" for number in range(repositories)])[repository],
        "date": days_since_2000(LAST_DAY) - YEAR + 1 + day,
    }
    for name, kind in types.items():
        if name not in columns and kind != "text":
            rate = 10.0 ** rng.uniform(-0.5, 2.0, repositories)[repository] * np.where(day % 7 >= 5, 0.4, 1.0)
            columns[name] = rng.poisson(rate).astype(float)
    with engine.begin() as connection:
        write_columns(connection, "metrics.repository_daily", columns, types)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("vacuum analyze metrics.repository_daily")
    return repositories


def _processor_seconds(process: int) -> float:
    """What a process of this machine has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _one_day(url: str) -> None:
    from metrics_assets.assets.anomalies import find_anomalies
    from metrics_assets.warehouse.engine import create_engine

    engine = create_engine(make_url(url))
    with engine.connect() as connection:  # the pool hands out the same one again
        server = connection.exec_driver_sql("select pg_backend_pid()").scalar_one()
    for _ in range(2):  # the second time its rows of the day are replaced
        began, own, servers = time.perf_counter(), time.process_time(), _processor_seconds(server)
        found = find_anomalies(engine, LAST_DAY, LAST_DAY + timedelta(days=1))
        seconds, own, servers = (
            time.perf_counter() - began, time.process_time() - own, _processor_seconds(server) - servers,
        )  # fmt: skip
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"  {found['rows']} series: {seconds:.1f} s; CPU {own:.1f} s here and {servers:.1f} s of PostgreSQL; "
            f"peak {peak:.0f} MB; {found['anomalies']} anomalies, {found['too_few']} too few"
        )


if __name__ == "__main__":
    main()
