"""The commands `metrics alerts ...` and `metrics status`."""

from __future__ import annotations

import getpass
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from metrics_assets import settings as configuration
from metrics_assets.errors import ConfigurationError, MetricsError
from metrics_assets.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST_SILENCE = timedelta(days=366)
_MISSED_SHOWN = 10
_by = click.option("--by", default=lambda: _user(), show_default="your user name", help="Who does it.")
_note = click.option("--note", help="Why, in a few words.")


@click.group()
def alerts() -> None:
    """What is wrong now, who was told, and what to do about it."""


@alerts.command("list")
@click.option("--all", "everything", is_flag=True, help="The resolved ones of the last 90 days, too.")
def list_alerts(everything: bool) -> None:
    """List the alerts that are open."""
    import sqlalchemy as sa

    _, engine = _open()
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "select * from ops.alerts where state <> 'resolved' or (:everything and opened_on > current_date - 90) "
                "order by state = 'resolved', array_position(array['critical', 'warning', 'info'], severity), "
                "opened_on desc, alert_id"
            ),
            {"everything": everything},
        ).all()
    for row in rows:
        click.echo(f"{row.alert_id:>5}  {row.state:<12}  {row.severity:<8}  {row.opened_on}  {row.rule}: {row.subject}")
        if row.text:
            click.echo(f"       {row.text}")
    if not rows:
        click.echo("No alert is open." if not everything else "There are no alerts.")


@alerts.command()
@click.argument("alert_id", type=int)
def show(alert_id: int) -> None:
    """Show an alert as people are told of it, and what happened to it."""
    from metrics_assets.alerting.showing import alert_message, history
    from metrics_assets.assets.alerts import acknowledge_links, rules_to_tell

    settings, engine = _open()
    message = alert_message(engine, settings, rules_to_tell(settings), alert_id, acknowledge_links(settings))
    click.echo(message.title)
    for line in message.lines:
        click.echo(line)
    for section in message.sections:
        click.echo(f"\n{section.heading}")
        for line in section.lines:
            click.echo(f"  {line}")
    if message.links:
        click.echo()
    for link in message.links:
        click.echo(f"{link.label}: {link.url}")
    click.echo("\nWhat happened")
    for line in history(engine, alert_id):
        click.echo(f"  {line}")


@alerts.command()
@click.argument("alert_id", type=int)
@_note
@_by
def ack(alert_id: int, note: str | None, by: str) -> None:
    """Acknowledge an alert: somebody looks after it, and it is not escalated any more."""
    from metrics_assets.alerting.states import acknowledge

    settings, engine = _open()
    acknowledge(engine, alert_id, by, note, settings, datetime.now(UTC))
    click.echo(f"Alert {alert_id} is acknowledged by {by}.")


@alerts.command()
@click.argument("alert_id", type=int)
@_note
@_by
def resolve(alert_id: int, note: str | None, by: str) -> None:
    """End an alert by hand; it opens again if its rule still holds on a later day."""
    from metrics_assets.alerting.states import resolve

    settings, engine = _open()
    resolve(engine, alert_id, by, note, settings, datetime.now(UTC))
    click.echo(f"Alert {alert_id} is resolved by {by}.")


@alerts.command()
@click.argument("alert_id", type=int)
@_note
@_by
def useful(alert_id: int, note: str | None, by: str) -> None:
    """Say that an alert was worth it; `metrics alerts review` counts."""
    _decide(alert_id, "useful", note, by)


@alerts.command()
@click.argument("alert_id", type=int)
@_note
@_by
def noise(alert_id: int, note: str | None, by: str) -> None:
    """Say that an alert was not worth it; `metrics alerts review` counts."""
    _decide(alert_id, "noise", note, by)


@alerts.command()
@click.argument("rule", required=False)
@click.option("--subject", help="Only this subject, for example acme/api; default: every one.")
@click.option("--for", "duration", required=True, help="How long: 30m, 2h, 3d or 1w.")
@click.option("--why", required=True, help="Why, for those who wonder.")
@_by
def silence(rule: str | None, subject: str | None, duration: str, why: str, by: str) -> None:
    """Tell nobody of a RULE's alerts, of a subject's, or of any, for a while; they are told afterwards if they hold."""
    from metrics_assets.alerting.states import silence
    from metrics_assets.catalogue.alerts import load_rules

    now = datetime.now(UTC)
    until = now + _duration(duration)
    if rule is not None and rule not in load_rules():
        raise ConfigurationError(f"There is no rule '{rule}'; `metrics catalogue` lists all.")
    _, engine = _open()
    number = silence(engine, rule=rule, subject_kind=None, subject=subject, until=until, reason=why, by=by, now=now)
    click.echo(f"Silence {number}: {_silenced(rule, subject)} until {_minute(until)}.")
    click.echo(f"End it with: metrics alerts unsilence {number}")


@alerts.command()
def silences() -> None:
    """List the silences that count now."""
    import sqlalchemy as sa

    _, engine = _open()
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("select * from ops.silences where starts_at <= :now and ends_at > :now order by ends_at"),
            {"now": datetime.now(UTC)},
        ).all()
    for row in rows:
        what = _silenced(row.rule, row.subject)
        click.echo(f"{row.silence_id:>5}  {what} until {_minute(row.ends_at)}, by {row.created_by}: {row.reason}")
    if not rows:
        click.echo("Nothing is silenced.")


@alerts.command()
@click.argument("silence_id", type=int)
def unsilence(silence_id: int) -> None:
    """End a silence."""
    from metrics_assets.alerting.states import unsilence

    _, engine = _open()
    unsilence(engine, silence_id, datetime.now(UTC))
    click.echo(f"Silence {silence_id} has ended.")


@alerts.command()
@click.option("--weeks", type=click.IntRange(1, 520), default=4, show_default=True, help="How far back.")
def review(weeks: int) -> None:
    """By rule: how often it told, how soon somebody answered, and whether it was useful. And what no rule saw."""
    from metrics_assets.alerting.review import missed, review

    _, engine = _open()
    now = datetime.now(UTC)
    rules = review(engine, weeks, now)
    if rules:
        click.echo(f"{'rule':<36} opened  to acknowledge  to resolve  useful  noise  undecided")
    for rule in rules:
        click.echo(
            f"{rule.rule:<36} {rule.opened:>6}  {_hours(rule.hours_to_acknowledge):>14}  "
            f"{_hours(rule.hours_to_resolve):>10}  {rule.useful:>6}  {rule.noise:>5}  {rule.undecided:>9}"
        )
    decided = sum(rule.useful + rule.noise for rule in rules)
    if decided:
        share = sum(rule.noise for rule in rules) / decided
        click.echo(f"Noise: {share:.0%} of the {decided} that somebody has decided about.".replace("%", " %"))
    elif rules:
        click.echo("Nobody has decided about any: metrics alerts useful ID, or metrics alerts noise ID.")
    else:
        click.echo(f"No alert fired in the last {weeks} weeks.")
    unseen = missed(engine, weeks, now)
    if unseen:
        click.echo("\nWhat happened without an alert around its day:")
    for event in unseen[:_MISSED_SHOWN]:
        click.echo(f"  {event.date}  {event.subject}: {event.title}")
    if len(unseen) > _MISSED_SHOWN:
        click.echo(f"  and {len(unseen) - _MISSED_SHOWN} more")


@alerts.command("test")
@click.argument("channel")
def test_channel(channel: str) -> None:
    """Send a test message to a CHANNEL of metrics.yaml."""
    from metrics_assets.alerting.trying import try_channel

    settings, engine = _open()
    click.echo(try_channel(engine, settings, channel, datetime.now(UTC)))


@alerts.command()
def deliver() -> None:
    """Deliver everything that is due, now, without Dagster."""
    from metrics_assets.assets.alerts import deliver

    settings, engine = _open()
    delivered = deliver(engine, settings)
    failed = f"{len(delivered.failed)} channel{'' if len(delivered.failed) == 1 else 's'} failed"
    click.echo(f"{delivered.sent} sent, {delivered.dropped} not to be told any more, {failed}")
    if delivered.failed:
        raise MetricsError("\n".join(delivered.failed.values()))


@alerts.command()
@click.option("--port", default=3001, show_default=True, help="Port of the page on 127.0.0.1.")
def serve(port: int) -> None:
    """Serve the page to acknowledge alerts by the links of messages; Ctrl-C ends it."""
    import uvicorn

    from metrics_assets.alerting.acknowledging import acknowledge_app
    from metrics_assets.assets.alerts import installation_acknowledge_key

    settings, engine = _open()
    click.echo(f"Alerts are acknowledged at http://127.0.0.1:{port}; Ctrl-C ends it.")
    if settings.alerts.acknowledge_url is None:
        click.echo("Messages link to it once alerts.acknowledge_url of metrics.yaml says where it is reached.")
    app = acknowledge_app(engine, settings, installation_acknowledge_key())
    # An address of these is a key: none of them goes into a log.
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


@click.command()
def status() -> None:
    """Print the status line of the newest day: healthy, or what is not."""
    from metrics_assets.alerting.status import newest_status

    _, engine = _open()
    found = newest_status(engine)
    if found is None:
        raise ConfigurationError("No day has a status yet; run: metrics run")
    click.echo(found.line)


def _open() -> tuple[Settings, sa.Engine]:
    """The settings and the warehouse; without a metrics.yaml those of `metrics demo`."""
    from metrics_assets.environment import use_demo_without_config
    from metrics_assets.warehouse.engine import engine

    use_demo_without_config()
    return configuration.load(), engine()


def _decide(alert_id: int, outcome: str, note: str | None, by: str) -> None:
    from metrics_assets.alerting.states import decide

    _, engine = _open()
    decide(engine, alert_id, "useful" if outcome == "useful" else "noise", note, by, datetime.now(UTC))
    click.echo(f"Alert {alert_id} was {outcome}, says {by}.")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "somebody"


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([mhdw])", text.strip())
    length = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < length <= _LONGEST_SILENCE:
        raise ConfigurationError(f"--for {text} is not understood; write 30m, 2h, 3d or 1w, at most a year.")
    return length


def _silenced(rule: str | None, subject: str | None) -> str:
    what = f"alerts of {rule}" if rule else "all alerts"
    return f"nobody is told of {what}{f' about {subject}' if subject else ''}"


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _hours(hours: float | None) -> str:
    if hours is None:
        return "-"
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"
