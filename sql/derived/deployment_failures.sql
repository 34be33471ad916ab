-- A row is one reason to call a deployment failed, of those that the repository asks for (failure_signals): it never
-- succeeded; an incident was tied to it; it was rolled back to an older commit; a change that it shipped was
-- reverted later; what followed was a hotfix (it shipped a pull request with such a label, or was a patch release of
-- the same line within hotfix_days); or its package was withdrawn (yank).
-- detected_at, the row's date, is when that was known; restored_at is when service was good again: of a withdrawn
-- release when the next one came, which may have been before anybody noticed.
-- replace: detected_at
-- also replaces: signal = 'incident' and not exists (select 1 from metrics.incidents where incidents.repository_id = deployment_failures.repository_id and incidents.chain = deployment_failures.chain and incidents.deployment_key = deployment_failures.deployment_key and 'issue:' || incidents.issue_number = deployment_failures.evidence)
-- also replaces: signal = 'failed_deployment' and not exists (select 1 from metrics.deployments where deployments.repository_id = deployment_failures.repository_id and deployments.chain = deployment_failures.chain and deployments.deployment_key = deployment_failures.deployment_key and deployments.outcome = 'failed')
with succeeded as (
    select
        *,
        lag(deployment_key) over chain as previous_key,
        lag(sha) over chain as previous_sha,
        lag(deployed_at) over chain as previous_deployed_at,
        lead(deployment_key) over chain as next_key,
        lead(deployed_at) over chain as next_deployed_at
    from metrics.deployments
    where outcome = 'succeeded'
    window chain as (partition by repository_id, chain order by deployed_at, deployment_key)
),

never_succeeded as (
    select
        failed.repository_id,
        failed.chain,
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
          and good.chain = failed.chain
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
        incidents.chain,
        incidents.deployment_key,
        'incident' as signal,
        'issue:' || incidents.issue_number as evidence,
        cause.deployed_at as failed_at,
        incidents.created_at as detected_at,
        incidents.closed_at as restored_at,
        repair.deployment_key as restored_by
    from metrics.incidents as incidents
    join metrics.deployments as cause using (repository_id, chain, deployment_key)
    left join lateral (
        select good.deployment_key
        from metrics.deployments as good
        where good.repository_id = incidents.repository_id
          and good.chain = incidents.chain
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
        back.chain,
        back.previous_key as deployment_key,
        'rollback' as signal,
        back.deployment_key as evidence,
        back.previous_deployed_at as failed_at,
        back.deployed_at as detected_at,
        back.deployed_at as restored_at,
        back.deployment_key as restored_by
    from succeeded as back
    join metrics.deployment_commits as shipped
      on shipped.repository_id = back.repository_id and shipped.chain = back.chain and shipped.sha = back.sha
    join metrics.deployment_commits as replaced
      on replaced.repository_id = back.repository_id
     and replaced.chain = back.chain
     and replaced.sha = back.previous_sha
    join metrics.deployments as carrier
      on carrier.repository_id = back.repository_id
     and carrier.chain = back.chain
     and carrier.deployment_key = replaced.deployment_key
    where back.source in ('deployments', 'workflow_runs')
      and back.deployed_at >= :start and back.deployed_at < :end
      and back.sha <> back.previous_sha
      and (
          (shipped.deployed_at, shipped.deployment_key) < (replaced.deployed_at, replaced.deployment_key)
          or (shipped.deployment_key = replaced.deployment_key and carrier.sha = back.previous_sha)
      )
),

reverted as (
    select
        bad.repository_id,
        bad.chain,
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
      on repaired.repository_id = reverts.repository_id
     and repaired.chain = bad.chain
     and repaired.sha = reverts.sha
    join ops.chains as chains
      on chains.repository_id = bad.repository_id and chains.chain = bad.chain
    where reverts.reverts_sha is not null
      and repaired.deployed_at >= :start and repaired.deployed_at < :end
      and not bad.is_baseline
      and repaired.deployed_at > bad.deployed_at
      -- What is not a service's is no failure of the deployment that contained it.
      and (
          cardinality(chains.paths) = 0
          or reverts.directories is null
          or exists (
              select 1
              from unnest(reverts.directories) as directory
              cross join unnest(chains.paths) as path
              where directory = path or starts_with(directory, path || '/')
          )
      )
),

labelled_hotfixes as (
    select
        repairs.repository_id,
        repairs.chain,
        repairs.previous_key as deployment_key,
        'hotfix' as signal,
        changes.change_key as evidence,
        repairs.previous_deployed_at as failed_at,
        repairs.deployed_at as detected_at,
        repairs.deployed_at as restored_at,
        repairs.deployment_key as restored_by
    from raw.pull_requests as pull_requests
    join ops.repository_settings as settings using (repository_id)
    join metrics.changes as changes
      on changes.repository_id = pull_requests.repository_id
     and changes.change_key = 'pull_request:' || pull_requests.number
     and changes.state = 'shipped'
    join succeeded as repairs
      on repairs.repository_id = changes.repository_id
     and repairs.chain = changes.chain
     and repairs.deployment_key = changes.deployment_key
    where pull_requests.labels && settings.hotfix_labels
      and pull_requests.merged_at is not null
      and repairs.previous_key is not null
),

-- Releases with their place in the line of patches: of 'api-v1.2.3', line 1.2 of 'api-' and patch 3.
releases as (
    select
        deployments.*,
        coalesce(rtrim(said.version[1], 'v'), '') as prefix,
        concat_ws('.', said.version[2], said.version[3], said.version[4]) as bare_version,
        said.version[2]::numeric as major,
        said.version[3]::numeric as minor,
        said.version[4]::numeric as patch
    from succeeded as deployments
    cross join lateral (
        select regexp_match(deployments.version, '^(.*[^0-9.])?([0-9]+)[.]([0-9]+)[.]([0-9]+)$') as version
    ) as said
    where deployments.source in ('releases', 'tags')
),

lines as (
    select
        *,
        lag(deployment_key) over line as patched_key,
        lag(deployed_at) over line as patched_deployed_at,
        lag(patch) over line as patched
    from releases
    where patch is not null
    window line as (
        partition by repository_id, chain, prefix, major, minor order by deployed_at, deployment_key
    )
),

patched as (
    select
        lines.repository_id,
        lines.chain,
        lines.patched_key as deployment_key,
        'hotfix' as signal,
        'version:' || lines.bare_version as evidence,
        lines.patched_deployed_at as failed_at,
        lines.deployed_at as detected_at,
        lines.deployed_at as restored_at,
        lines.deployment_key as restored_by
    from lines
    join ops.repository_settings as settings using (repository_id)
    where lines.patch > lines.patched
      and lines.deployed_at <= lines.patched_deployed_at + settings.hotfix_days * interval '1 day'
),

withdrawn as (
    select
        releases.repository_id,
        releases.chain,
        releases.deployment_key,
        'yank' as signal,
        packages.registry || ':' || packages.package as evidence,
        releases.deployed_at as failed_at,
        greatest(withdrawn.yanked_noticed_at, releases.deployed_at) as detected_at,
        releases.next_deployed_at as restored_at,
        releases.next_key as restored_by
    from raw.package_releases as withdrawn
    join ops.package_settings as packages using (registry, package)
    join (
        select *, coalesce(nullif(bare_version, ''), ltrim(version, 'v')) as package_version from releases
    ) as releases
      on releases.repository_id = packages.repository_id
     and releases.package_version = withdrawn.version
    where withdrawn.is_yanked
      and withdrawn.yanked_noticed_at is not null
      -- Of several services with such a version, the one whose name is in the package's.
      and (
          releases.chain = ''
          or strpos(packages.package, releases.chain) > 0
          or not exists (
              select 1 from ops.chains as services
              where services.repository_id = packages.repository_id
                and services.kind = 'service'
                and strpos(packages.package, services.chain) > 0
          )
      )
),

failures as (
    select * from never_succeeded
    union all select * from caused_incidents
    union all select * from rolled_back
    union all select * from reverted
    union all select * from labelled_hotfixes
    union all select * from patched
    union all select * from withdrawn
)

select
    failures.repository_id,
    failures.chain,
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
left join metrics.deployment_failures as known using (repository_id, chain, deployment_key, signal, evidence)
where failures.signal = any (settings.failure_signals)
  and failures.detected_at < :end
  and (
      failures.detected_at >= :start
      -- What is known late, or is mended since the range began.
      or known.repository_id is null
      or known.restored_at is distinct from failures.restored_at
      or known.restored_by is distinct from failures.restored_by
  )
