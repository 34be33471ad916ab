-- The last 90 days of every repository in DORA's keys, one row a day, newest first.
create or replace view metrics.dora_summary as
select
    daily.repository,
    daily.date,
    daily.deployments_succeeded as deployments,
    daily.deployments_failed as failed_deployments,
    daily.deployment_frequency,
    daily.lead_time_hours,
    daily.change_failure_rate,
    daily.failed_deployment_recovery_hours,
    daily.mttr_hours,
    daily.incidents_opened,
    daily.deployment_source,
    case when daily.days_observed >= 7
         then coalesce(metrics.dora_tier('standard', 'deployment_frequency', daily.deployment_frequency), 'unknown') else 'unknown' end as deployment_frequency_tier,
    case when daily.days_observed >= 7
         then coalesce(metrics.dora_tier('standard', 'lead_time_hours', daily.lead_time_hours), 'unknown') else 'unknown' end as lead_time_tier,
    case when daily.days_observed >= 7
         then coalesce(metrics.dora_tier('standard', 'change_failure_rate', daily.change_failure_rate), 'unknown') else 'unknown' end as change_failure_rate_tier,
    case when daily.days_observed >= 7
         then coalesce(metrics.dora_tier('standard', 'mttr_hours', daily.mttr_hours), 'unknown') else 'unknown' end as mttr_tier
from metrics.dora_daily as daily
where daily.subject_kind = 'repository'
  and daily.date > (select max(date) - 90 from metrics.dora_daily)
order by daily.date desc, daily.repository;
