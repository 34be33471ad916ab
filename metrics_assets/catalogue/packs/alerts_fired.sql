-- A row is a day, for the portfolio: alerts that fired on it, so that people were told. It begins with the day of the
-- first alert there was: before it nobody can say whether anything looked.
select
    'portfolio' as subject_kind,
    portfolio.portfolio as subject,
    day::date as date,
    count(alerts.alert_id) as value
from generate_series(:start, :end - 1, interval '1 day') as day
cross join ops.portfolio as portfolio
left join ops.alerts as alerts
  on alerts.fired_at >= day::date and alerts.fired_at < day::date + 1
where day::date >= (select min(fired_at)::date from ops.alerts)
group by portfolio.portfolio, day
