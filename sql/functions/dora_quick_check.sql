-- Points from 0 to 10 as DORA's Quick Check of 2025 gives them: six bands, the worst 0 points and the best 10, two
-- points apart; of a rate, 10 less a point for every ten per cent. Null of null: a score of only some of its parts
-- is none.

-- Lead time and recovery, hours: under an hour, a day, a week, a month, six months, or more.
create or replace function metrics.quick_check_hours(hours double precision)
returns double precision
language sql immutable parallel safe
return 10 - 2.0::double precision * width_bucket(hours, array[1, 24, 168, 730, 4380]::double precision[]);

-- Deployments per day: less than one in six months, in a month, a week, a day, an hour, or more ("on demand").
create or replace function metrics.quick_check_frequency(per_day double precision)
returns double precision
language sql immutable parallel safe
return 2.0::double precision
    * width_bucket(per_day, array[2 / 365.0, 12 / 365.0, 1 / 7.0, 1, 24]::double precision[]);

create or replace function metrics.quick_check_rate(rate double precision)
returns double precision
language sql immutable parallel safe
return 10 - 10 * rate;

-- The mean of lead time, deployment frequency and recovery.
create or replace function metrics.quick_check_throughput(
    frequency double precision, lead_time double precision, recovery double precision
)
returns double precision
language sql immutable parallel safe
return (
    metrics.quick_check_frequency(frequency) + metrics.quick_check_hours(lead_time)
    + metrics.quick_check_hours(recovery)
) / 3;

-- The mean of change failure rate and rework rate.
create or replace function metrics.quick_check_stability(failure_rate double precision, rework_rate double precision)
returns double precision
language sql immutable parallel safe
return (metrics.quick_check_rate(failure_rate) + metrics.quick_check_rate(rework_rate)) / 2;

-- The mean of all five.
create or replace function metrics.quick_check_overall(
    frequency double precision,
    lead_time double precision,
    recovery double precision,
    failure_rate double precision,
    rework_rate double precision
)
returns double precision
language sql immutable parallel safe
return (
    3 * metrics.quick_check_throughput(frequency, lead_time, recovery)
    + 2 * metrics.quick_check_stability(failure_rate, rework_rate)
) / 5;
