-- Ends of 95 % intervals; the same formulas as metrics_assets/analysis/intervals.py. 1.96 is the standard normal's
-- 97.5 % point. Null of null, and of a share of nothing.

-- Of a share: Wilson's score interval (1927). At none and at all the end is exact.
create or replace function metrics.wilson_low(successes double precision, n double precision)
returns double precision
language sql immutable parallel safe
return case when n > 0 then case when successes = 0 then 0 else (
    successes / n + 1.959963984540054 ^ 2 / (2 * n)
    - 1.959963984540054 * sqrt(successes / n * (1 - successes / n) / n + 1.959963984540054 ^ 2 / (4 * n ^ 2))
) / (1 + 1.959963984540054 ^ 2 / n) end end;

create or replace function metrics.wilson_high(successes double precision, n double precision)
returns double precision
language sql immutable parallel safe
return case when n > 0 then case when successes = n then 1 else (
    successes / n + 1.959963984540054 ^ 2 / (2 * n)
    + 1.959963984540054 * sqrt(successes / n * (1 - successes / n) / n + 1.959963984540054 ^ 2 / (4 * n ^ 2))
) / (1 + 1.959963984540054 ^ 2 / n) end end;

-- Of a count of events that come independently of each other: Byar's approximation (Breslow and Day, Statistical
-- Methods in Cancer Research II, 2.3).
create or replace function metrics.poisson_low(events double precision)
returns double precision
language sql immutable parallel safe
return case when events = 0 then 0
            when events > 0
            then events * (1 - 1 / (9 * events) - 1.959963984540054 / (3 * sqrt(events))) ^ 3 end;

create or replace function metrics.poisson_high(events double precision)
returns double precision
language sql immutable parallel safe
return (events + 1) * (1 - 1 / (9 * (events + 1)) + 1.959963984540054 / (3 * sqrt(events + 1))) ^ 3;
