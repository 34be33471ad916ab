"""How good and how dear the predictions are: forecasts of real and of simulated daily series, and of very many.

    python benchmarks/predict.py [accuracy] [speed] [warehouse] [detection] [--data ../shared/data] [--series 20000]

Without a section all of them run, each in a process of its own, so that each has its own peak of memory.

accuracy: for 7, 30 and 90 days ahead the CRPS relative to the seasonal naive forecast of the same run, the MASE, and
the coverage of the 80 % interval, of forecasts made as the asset makes them. "Relative" is the mean scaled CRPS of all
series and origins over that of the naive forecast; a group's mean weighs each kind of series alike. Real series are of
several years: each is moved by whole weeks so that all end on one day and can be pooled. The forecasts' settings were
chosen by the first half of the series (by a hash of their names); believe the second half.
speed: one refresh of many series through the functions. warehouse: the asset's run in an embedded PostgreSQL in a
temporary folder, on 20 metrics of each repository. detection: benchmarks/detect.py.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from warehouses import server

from metrics_assets.analysis.forecasting import Settings, forecast, grid_of, look_ahead
from metrics_assets.analysis.forecasting.errors import absolute_error, covered, crps
from metrics_assets.analysis.forecasting.grid import read_grid
from metrics_assets.analysis.forecasting.naive import seasonal_error, seasonal_naive
from metrics_assets.analysis.forecasting.settings import LONGEST, SERVED, Floats

SECTIONS = ("accuracy", "speed", "warehouse", "detection")
END = date(2026, 8, 30)  # a Sunday
LONGEST_HISTORY = 1200
TOTALS = ("stars", "forks", "stars_total")
FEWEST_DAYS = 28  # of the year before an origin; from LONG_HISTORY on a series stands in the main table
LONG_HISTORY = 180


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", help=", ".join(SECTIONS))
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--series", type=int, default=20_000, help="for the measures of speed")
    parser.add_argument("--origins", type=int, default=6, help="for the measure of accuracy")
    arguments = parser.parse_args()
    sections = arguments.sections or list(SECTIONS)
    if unknown := sorted(set(sections) - set(SECTIONS)):
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if len(sections) > 1:
        options = [f"--data={arguments.data}", f"--series={arguments.series}", f"--origins={arguments.origins}"]
        for section in sections:
            subprocess.run([sys.executable, __file__, section, *options], check=True)
    elif sections == ["accuracy"]:
        accuracy(arguments.data, arguments.origins)
    elif sections == ["speed"]:
        speed(arguments.series)
    elif sections == ["warehouse"]:
        in_warehouse(arguments.series)
    else:
        subprocess.run([sys.executable, str(Path(__file__).with_name("detect.py"))], check=True)


def accuracy(data: Path, count: int) -> None:
    """Print how good forecasts from `count` days, three months apart, were."""
    origins = [END - timedelta(days=90 + 91 * number) for number in range(count)]
    if (data / "registries").is_dir():
        compared = compare(pd.concat(real_series(data)), origins)
        show("real series", compared)
        show("real series, first half", compared[compared["half"] == 0], short=True)
        show("real series, second half", compared[compared["half"] == 1], short=True)
    else:
        print(f"No real series: {data} is not there.")
    show("simulated series", compare(simulated_series(120, 800, seed=4), origins[:3]))


def compare(daily: pd.DataFrame, origins: list[date]) -> pd.DataFrame:
    """Return for each series, origin and number of days ahead the mean scaled errors of the days up to it."""
    rows = []
    for origin in origins:
        lately = daily[(daily["date"] <= origin) & (daily["date"] > origin - timedelta(days=365))]
        counts = lately.groupby(["metric", "subject"], observed=True)["value"].count()
        enough = pd.MultiIndex.from_frame(daily[["metric", "subject"]]).isin(counts[counts >= FEWEST_DAYS].index)
        some = daily[enough & (daily["date"] > origin - timedelta(days=Settings().history_days)).to_numpy()]
        # The answer of the days after the origin, from the same reader.
        after = read_grid(some, origin + timedelta(days=LONGEST), {})
        before = read_grid(some[some["date"] <= origin], origin, {})
        assert after is not None
        assert before is not None
        actual = after.values[:, -LONGEST:]
        series = np.arange(len(before.keys))
        known = np.sum(~np.isnan(before.values[:, -365:]), axis=1)
        window = before.window(series, np.full(len(series), before.days - 1))
        scale = np.nan_to_num(seasonal_error(window))
        ahead = np.tile(np.arange(1, LONGEST + 1), (len(series), 1))
        naive = seasonal_naive(window, ahead, before.lower, before.upper)
        made = forecast(some, origin, settings=Settings().for_series(len(series)))
        served = made[["p10", "p50", "p90"]].to_numpy().reshape(len(series), LONGEST, 3)
        method = made["method"].to_numpy().reshape(len(series), LONGEST)
        for number in np.flatnonzero((scale > 0) & ~np.isnan(served[:, 0, 0]) & ~np.isnan(actual).all(axis=1)):
            scores = [
                values[number] / scale[number]
                for values in (crps(actual, served), crps(actual, naive), absolute_error(actual, served))
            ]
            metric, subject = before.keys["metric"].iloc[number], before.keys["subject"].iloc[number]
            inside, first = covered(actual[number], served[number]), 0
            for horizon in SERVED:
                if not np.isnan(actual[number, :horizon]).all():
                    rows.append(
                        {
                            "long": known[number] >= LONG_HISTORY,
                            "half": zlib.crc32(f"{metric}|{subject}".encode()) % 2,
                            "group": metric,
                            "horizon": horizon,
                            "crps": np.nanmean(scores[0][:horizon]),
                            "naive_crps": np.nanmean(scores[1][:horizon]),
                            "mase": np.nanmean(scores[2][:horizon]),
                            "covered": np.nansum(inside[first:horizon]),
                            "days": np.sum(~np.isnan(inside[first:horizon])),
                            "naive": method[number, horizon - 1] == "seasonal_naive",
                        }
                    )
                first = horizon
    return pd.DataFrame(rows)


def show(title: str, compared: pd.DataFrame, short: bool = False) -> None:
    """Print the figures of all series of 180 days and more, of all but totals, of each group, and of short ones."""
    young, compared = compared[~compared["long"]], compared[compared["long"]]
    print(f"\n{title}: {len(compared) // len(SERVED)} forecasts, {len(young) // len(SERVED)} of short histories")
    print(f"{'':26}{'relative CRPS':>21}{'MASE':>21}{'coverage of 1-7 8-30 31-90':>30}{'naive served':>21}")
    flows = compared[~compared["group"].isin(TOTALS)]
    parts = [
        ("all", compared),
        ("without totals", flows),
        *((str(key), part) for key, part in compared.groupby("group") if not short),
        *([("short histories", young)] if len(young) else []),
    ]
    for name, part in parts:
        sums = part.groupby("horizon")[["crps", "naive_crps", "mase", "covered", "days", "naive"]].sum()
        mean = part.groupby("horizon")[["mase", "naive"]].mean()
        columns = (sums["crps"] / sums["naive_crps"], mean["mase"], sums["covered"] / sums["days"], mean["naive"])
        print(f"  {name:24}" + "".join(f"{'':>3}" + "".join(f"{value:6.2f}" for value in column) for column in columns))
    of_group = compared.groupby(["group", "horizon"])[["crps", "naive_crps"]].sum()
    relative = (of_group["crps"] / of_group["naive_crps"]).groupby("horizon").mean()
    print(f"  {'mean of the groups':24}   " + "".join(f"{value:6.2f}" for value in relative))


def speed(series: int) -> None:
    """Print what one refresh of `series` series of a year and more costs, as the asset makes it."""
    settings = Settings().for_series(series)
    grid = read_grid(simulated_series(series, settings.history_days, seed=9), END, {})
    assert grid is not None
    values, keys = grid.values.copy(), grid.keys.copy()
    before = _peak_megabytes()
    started, worked = time.perf_counter(), time.process_time()
    outlook = look_ahead(grid_of(keys, END, values, np.full(len(keys), "count")), settings=settings)
    seconds = time.perf_counter() - started
    print(
        f"\n{len(keys)} series x {grid.days} days refreshed: {seconds:.0f} s ({time.process_time() - worked:.0f} s of "
        f"CPU), peak {_peak_megabytes():.0f} MB ({before:.0f} MB before, with the making of the input); "
        f"{np.sum(~np.isnan(outlook.paths[:, 0, 0]))} served"
    )


# A repository on a day, r is the repository: exponential numbers, fewer at the weekend, in the table's order.
_FILL = """
insert into ops.portfolio (portfolio, start, settle_days, minimum_group, person_key_check)
values ('benchmark', '2025-01-01', 3, 3, 'x');

select setseed(0.5);

insert into metrics.repository_daily
select r, 'acme/' || r, day, m[1], day - date '2020-01-01' + m[2], m[3], day - date '2020-01-01', m[5], m[6], m[7] + 20,
       m[8], m[9], m[10], m[11] + 9, m[12], m[13], m[14], m[15], 90 + m[1], 60 + m[2], 30 + m[3], m[5] + 5, m[6] + 1,
       24 * random(), 9, 9 * random(), 9, m[9], 9 * random(), 9, m[6], m[7] / 3, m[3]
from generate_series(1, {repositories}) as r
cross join lateral (select 2 * power(mod(r, 17), 1.5) + 0.1 as rate) as busy
cross join lateral (
    select date '{first}' + number as day,
           case when mod(number, 7) > 4 then 0.4 * rate else rate end as rate_of_day
    from generate_series(0, {days} - 1) as number
) as calendar
cross join lateral (
    select array_agg((-ln(1 - random()) * rate_of_day + 0 * number)::integer) as m from generate_series(1, 15) as number
) as made
"""


def in_warehouse(series: int) -> None:
    """Print what the asset's run costs on `series` series in PostgreSQL, and on 500 of them."""
    import sqlalchemy as sa

    from metrics_assets.assets.forecasts import derivation

    with server() as open_database:
        for some in (500, series):
            engine = open_database(f"benchmark_{some}")
            days = Settings().history_days
            first = END - timedelta(days=days - 1)
            with engine.begin() as connection:
                connection.exec_driver_sql(_FILL.format(repositories=some // 20, first=first, days=days))
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("vacuum analyze metrics.repository_daily"))
            before = _peak_megabytes()
            said = derivation().run(engine, END, END + timedelta(days=1))
            print(
                f"\n{some} series in PostgreSQL: peak {_peak_megabytes():.0f} MB ({before:.0f} MB before); {dict(said)}"
            )


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass(frozen=True)
class _Kind:
    metric: str
    rate: tuple[float, float]
    total: bool = False


KINDS = (
    _Kind("commits", (0.3, 30)),
    _Kind("stars_new", (0.02, 5)),
    _Kind("downloads", (100, 100_000)),
    _Kind("stars_total", (0.05, 3), total=True),
    _Kind("issues_opened", (0.1, 5)),
)


def simulated_series(series: int, days: int, seed: int) -> pd.DataFrame:
    """Return seeded daily counts and totals that end on END: weekdays, growth, slow waves, releases, missing days.

    It is not the generator that the model learns from.
    """
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    weekday = (END.weekday() - (days - 1 - day)) % 7
    calendar = np.array([END - timedelta(days=int(days - 1 - number)) for number in day], dtype=object)
    values = np.empty((series, days))
    for number in range(series):
        kind = KINDS[number % len(KINDS)]
        rate = float(np.exp(rng.uniform(*np.log(kind.rate))))
        pattern = np.where(weekday >= 5, rng.choice([1.0, 0.6, 0.25]), 1.0) * rng.uniform(0.9, 1.1, 7)[weekday]
        growth = np.exp(rng.normal(0.1, 0.3) * day / 365 + np.cumsum(rng.normal(0, 0.01, days)))
        releases = np.zeros(days)
        for start in np.flatnonzero(rng.random(days) < 1 / 45):
            releases[start : start + 10] += rng.uniform(0, 1.5) * 0.6 ** np.arange(len(releases[start : start + 10]))
        dispersion = float(rng.choice([0.02, 0.1, 0.5]))
        mean = rate * pattern * growth * (1 + releases)
        counts = rng.poisson(mean * rng.gamma(1 / dispersion, dispersion, days))
        values[number] = np.cumsum(counts) + 50 if kind.total else counts
    values[rng.random(values.shape) < 0.01] = np.nan
    # Words as categories: a frame of seven million rows shall not be the most of what is measured.
    flat = values.ravel()
    subject = np.repeat(np.arange(series, dtype=np.int32) // len(KINDS), days)
    return pd.DataFrame(
        {
            "metric": pd.Categorical.from_codes(
                np.repeat((np.arange(series) % len(KINDS)).astype(np.int8), days), [kind.metric for kind in KINDS]
            ),
            "subject_kind": pd.Categorical.from_codes(np.zeros(len(flat), dtype=np.int8), ["repository"]),
            "subject": pd.Categorical.from_codes(subject, [f"acme/{number}" for number in range(subject.max() + 1)]),
            "date": np.tile(calendar, series),
            "value": flat,
            "n": np.float32(np.nan),
            "state": pd.Categorical.from_codes(np.isnan(flat).astype(np.int8), ["ok", "unknown"]),
        },
        copy=False,
    )


def real_series(data: Path) -> Iterator[pd.DataFrame]:
    """Yield the real daily series: stars, forks and traffic, downloads by package and version, commits and merges."""
    for name, columns in (
        ("activity", ("stars", "forks")),
        ("traffic", ("views", "unique_visitors", "clones", "unique_cloners")),
    ):
        table = pd.read_csv(data / "registries" / "stars" / f"analyticsinmotion_{name}.csv.gz", parse_dates=["date"])
        for repository, rows in table.drop_duplicates(["date", "repository"]).groupby("repository"):
            for column in columns:
                values = rows.set_index("date")[column].astype(float)
                yield _series(column, str(repository), values)
                if column == "stars":
                    yield _series("stars_new", str(repository), values.asfreq("D").diff().clip(lower=0))
    for file in sorted((data / "registries" / "npm_downloads_range").glob("*.json")):
        answer = json.loads(file.read_text())
        values = pd.Series({pd.Timestamp(row["day"]): float(row["downloads"]) for row in answer["downloads"]})
        yield _series("npm", answer["package"], values)
    rows = pd.DataFrame(json.loads((data / "registries" / "pypistats" / "python_minor.json").read_text())["data"])
    rows["date"] = pd.to_datetime(rows["date"])
    for version, some in rows.groupby("category"):
        if len(some) >= 100:
            yield _series("pypi", str(version), some.set_index("date")["downloads"].astype(float))
    for folder in sorted((data / "githistory").iterdir()):
        if folder.is_dir():
            yield _series("commits", folder.name, _per_day(folder / "commits.jsonl.gz", "committed_at"))
            yield _series("merged", folder.name, _per_day(folder / "pulls.jsonl.gz", "merged_at"))


def _per_day(file: Path, column: str) -> pd.Series:
    with gzip.open(file, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    moments = [row[column] for row in rows if row.get(column) and row.get("on_default", True)]
    days = pd.to_datetime(pd.Series(moments), utc=True).dt.tz_localize(None).dt.floor("D")
    return days.value_counts().sort_index().asfreq("D", fill_value=0).astype(float)


def _series(metric: str, subject: str, values: pd.Series) -> pd.DataFrame:
    values = values.sort_index().asfreq("D").iloc[-LONGEST_HISTORY:]
    weeks = (pd.Timestamp(END) - values.index[-1]).days // 7
    known: Floats = values.to_numpy()
    return pd.DataFrame(
        {
            "metric": metric,
            "subject_kind": "repository",
            "subject": subject,
            "date": (values.index + pd.Timedelta(weeks=weeks)).date,
            "value": known,
            "n": np.nan,
            "state": np.where(np.isnan(known), "unknown", "ok"),
        }
    )


if __name__ == "__main__":
    main()
