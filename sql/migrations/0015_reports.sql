-- Reports: what was said of a period, with the figures it was made from.

-- A row is a report of a period as of its newest day. Until it is sent it is made anew with every run; from then on
-- (frozen_at) neither it nor its figures change, whatever is learnt later.
create table ops.reports (
    report text not null
        check (report in ('monthly_report', 'weekly_digest', 'quarterly_review', 'executive_summary')),
    period_start date not null,
    period_end date not null check (period_end >= period_start),  -- its last day
    as_of date not null,  -- the last day that it knows; before period_end it is a draft
    title text not null,
    figures jsonb not null,
    document jsonb not null,
    markdown text not null,
    html text not null,
    pdf bytea,
    made_at timestamptz not null default now(),
    frozen_at timestamptz,
    primary key (report, period_start)
);
