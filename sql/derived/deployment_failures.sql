-- A row is one reason to call a deployment failed: it never succeeded, an incident was tied to it, it was rolled
-- back to an older commit, or a change that it shipped was reverted later.
-- detected_at, the row's date, is when that was known; restored_at is when service was good again.
-- replace: detected_at
with succeeded as (
    select
        *,
        lag(deployment_key) over chain as previous_key,
        lag(sha) over chain as previous_sha,
        lag(deployed_at) over chain as previous_deployed_at
    from metrics.deployments
    where outcome = 'succeeded'
    window chain as (partition by repository_id order by deployed_at, deployment_key)
),

never_succeeded as (
    select
        failed.repository_id,
        failed.deployment_key,
        'failed_deployment' as signal,
        failed.deployment_key as evidence,
        failed.finished_at as failed_at,
        failed.finished_at as detected_at,
        next_good.deployed_at as restored_at,
        next_good.deployment_key as restored_by
    from metrics.deployments as failed
    left join lateral (
        select good.deployment_key, good.deployed_at
        from metrics.deployments as good
        where good.repository_id = failed.repository_id
          and good.outcome = 'succeeded'
          and good.finished_at > failed.finished_at
        order by good.finished_at, good.deployment_key
        limit 1
    ) as next_good on true
    where failed.outcome = 'failed'
),

caused_incidents as (
    select
        incidents.repository_id,
        incidents.deployment_key,
        'incident' as signal,
        'issue:' || incidents.issue_number as evidence,
        cause.deployed_at as failed_at,
        incidents.created_at as detected_at,
        incidents.closed_at as restored_at,
        repair.deployment_key as restored_by
    from metrics.incidents as incidents
    join metrics.deployments as cause
      on cause.repository_id = incidents.repository_id and cause.deployment_key = incidents.deployment_key
    left join lateral (
        select good.deployment_key
        from metrics.deployments as good
        where good.repository_id = incidents.repository_id
          and good.outcome = 'succeeded'
          and good.finished_at > incidents.created_at
          and good.finished_at <= incidents.closed_at
        order by good.finished_at desc, good.deployment_key desc
        limit 1
    ) as repair on true
),

rolled_back as (
    -- The deployed commit had shipped before the commit that it replaces: in an earlier deployment, or beneath it
    -- in the same. (Going forward again afterwards deploys what had shipped, too, but after what it replaces.)
    select
        back.repository_id,
        back.previous_key as deployment_key,
        'rollback' as signal,
        back.deployment_key as evidence,
        back.previous_deployed_at as failed_at,
        back.deployed_at as detected_at,
        back.deployed_at as restored_at,
        back.deployment_key as restored_by
    from succeeded as back
    join metrics.deployment_commits as shipped
      on shipped.repository_id = back.repository_id and shipped.sha = back.sha
    join metrics.deployment_commits as replaced
      on replaced.repository_id = back.repository_id and replaced.sha = back.previous_sha
    join metrics.deployments as carrier
      on carrier.repository_id = back.repository_id and carrier.deployment_key = replaced.deployment_key
    where back.source = 'deployments'
      and back.sha <> back.previous_sha
      and (
          (shipped.deployed_at, shipped.deployment_key) < (replaced.deployed_at, replaced.deployment_key)
          or (shipped.deployment_key = replaced.deployment_key and carrier.sha = back.previous_sha)
      )
),

reverted as (
    select
        bad.repository_id,
        bad.deployment_key,
        'revert' as signal,
        'commit:' || reverts.sha as evidence,
        bad.deployed_at as failed_at,
        repaired.deployed_at as detected_at,
        repaired.deployed_at as restored_at,
        repaired.deployment_key as restored_by
    from raw.commits as reverts
    join metrics.deployment_commits as bad
      on bad.repository_id = reverts.repository_id and bad.sha = reverts.reverts_sha
    join metrics.deployment_commits as repaired
      on repaired.repository_id = reverts.repository_id and repaired.sha = reverts.sha
    where not bad.is_baseline and repaired.deployment_key <> bad.deployment_key
),

failures as (
    select * from never_succeeded
    union all select * from caused_incidents
    union all select * from rolled_back
    union all select * from reverted
)

select
    failures.repository_id,
    settings.repository,
    failures.deployment_key,
    failures.signal,
    failures.evidence,
    failures.failed_at,
    failures.detected_at,
    failures.restored_at,
    failures.restored_by,
    extract(epoch from failures.restored_at - failures.failed_at) / 3600 as recovery_hours
from failures
join ops.repository_settings as settings using (repository_id)
where (failures.detected_at >= :start and failures.detected_at < :end)
   or exists (
       select 1 from metrics.deployment_failures as known
       where known.repository_id = failures.repository_id
         and known.deployment_key = failures.deployment_key
         and known.signal = failures.signal
         and known.evidence = failures.evidence
         and known.detected_at < :end
         and (known.restored_at is null or known.restored_at >= :start)
   )
