-- A row is a deployment that may have caused an incident, by one rule. The rules, surest first: somebody said so
-- (hand); the issue's text names a commit (sha), a pull request, something that reverts what was bad (revert), or a
-- version; a label names the service; the last deployment before, if it is near enough to be blamed (time). The
-- surest rule is the incident's, of the chains that a label names before others, the latest deployment.
-- A deployment after the incident cannot have caused it. A further environment (staging) is blamed only where a label
-- names it, and then no other is. What somebody decided counts over all rules: the newest decision of a deployment.
-- Its date is the incident's; incidents that were open or touched since the range began are tied anew.
-- replace: created_at
-- also replaces: (repository_id, issue_number) in (select repository_id, number from raw.issues where closed_at is null)
-- also replaces: (repository_id, issue_number) in (select repository_id, number from raw.issues where updated_at >= :start)
-- also replaces: (repository, issue_number) in (select repository, issue_number from raw.incident_corrections where greatest(loaded_at, decided_at) >= :start)
with incident_issues as (
    select
        issues.repository_id,
        settings.repository,
        issues.number,
        issues.created_at,
        issues.labels,
        issues.mentions,
        settings.incident_maximum_gap_hours * interval '1 hour' as maximum_gap
    from raw.issues as issues
    join ops.repository_settings as settings using (repository_id)
    where issues.labels && settings.incident_labels
      and issues.created_at < :end
      and (
          issues.created_at >= :start
          -- Labels may come late, and make an incident of an issue of a day that no run covers again.
          or issues.updated_at >= :start
          or issues.closed_at is null
          or exists (
              select 1 from raw.incident_corrections as corrections
              where corrections.repository = settings.repository
                and corrections.issue_number = issues.number
                and greatest(corrections.loaded_at, corrections.decided_at) >= :start
          )
      )
),

labels as (
    -- 'web', 'service: web' and 'service/web' name the service web; 'staging' the environment.
    select incident_issues.repository_id, incident_issues.number, chains.chain, min(label) as label
    from incident_issues
    cross join unnest(incident_issues.labels) as label
    join ops.chains as chains
      on chains.repository_id = incident_issues.repository_id
     and chains.kind <> 'repository'
     and lower(ltrim(chains.chain, '@'))
         = lower(regexp_replace(label, '^(service|component|application|app|environment|env)[-:_/ ]+', '', 'i'))
    group by incident_issues.repository_id, incident_issues.number, chains.chain
),

blamable as (
    -- The chains whose deployments may have caused an incident.
    select incident_issues.*, chains.chain, chains.paths, labels.label
    from incident_issues
    join ops.chains as chains using (repository_id)
    left join labels using (repository_id, number, chain)
    where case when exists (
                   select 1 from labels as environments
                   where environments.repository_id = incident_issues.repository_id
                     and environments.number = incident_issues.number
                     and environments.chain like '@%'
               )
               then chains.kind = 'environment' and labels.label is not null
               else chains.kind <> 'environment' end
),

mentions as (
    select
        incident_issues.repository_id,
        incident_issues.number,
        incident_issues.created_at,
        mention as evidence,
        split_part(mention, ':', 1) as kind,
        substring(mention from position(':' in mention) + 1) as what
    from incident_issues
    cross join unnest(incident_issues.mentions) as mention
    where mention not like 'number:%' or mention ~ '^number:[0-9]{1,9}$'
),

reverts as (
    select repository_id, sha, pull_request_number, reverts_sha
    from raw.commits
    where reverts_sha is not null
),

-- Commits that the text names, by themselves, by their pull request, or by what took them back.
named_commits as (
    select mentions.repository_id, mentions.number, commits.sha, 'sha' as rule, 0.95 as confidence, mentions.evidence
    from mentions
    cross join lateral (
        select commits.sha
        from raw.commits as commits
        where commits.repository_id = mentions.repository_id
          -- (Begins with it, as the index can find it.)
          and commits.sha >= mentions.what and commits.sha < mentions.what || 'g'
        offset 0
    ) as commits
    where mentions.kind = 'sha'
    union all
    select mentions.repository_id, mentions.number, pull_requests.merge_sha, 'pull_request', 0.9, mentions.evidence
    from mentions
    join raw.pull_requests as pull_requests
      on pull_requests.repository_id = mentions.repository_id
     and mentions.kind = 'number'
     and pull_requests.number = mentions.what::integer
    union all
    select mentions.repository_id, mentions.number, reverts.reverts_sha, 'revert', 0.85, mentions.evidence
    from mentions
    join reverts
      on reverts.repository_id = mentions.repository_id
     and mentions.kind = 'sha'
     and starts_with(reverts.sha, mentions.what)
    union all
    select mentions.repository_id, mentions.number, reverts.reverts_sha, 'revert', 0.85, mentions.evidence
    from mentions
    join reverts
      on reverts.repository_id = mentions.repository_id
     and mentions.kind = 'number'
     and reverts.pull_request_number = mentions.what::integer
    union all
    select mentions.repository_id, mentions.number, reverts.reverts_sha, 'revert', 0.85, mentions.evidence
    from mentions
    join raw.pull_requests as pull_requests
      on pull_requests.repository_id = mentions.repository_id
     and mentions.kind = 'number'
     and pull_requests.number = mentions.what::integer
    join reverts
      on reverts.repository_id = pull_requests.repository_id and reverts.sha = pull_requests.merge_sha
    union all
    select incident_issues.repository_id, incident_issues.number, reverts.reverts_sha, 'revert', 0.85,
           'sha:' || reverts.sha
    from incident_issues
    join reverts
      on reverts.repository_id = incident_issues.repository_id
     and reverts.pull_request_number = incident_issues.number
),

deployments as (
    select
        *,
        coalesce(substring(version from '[0-9]+(?:[.][0-9]+)+.*$'), ltrim(version, 'v')) as bare_version
    from metrics.deployments
    where outcome = 'succeeded'
),

found as (
    -- The deployed commit itself, or the deployment that first contained the commit.
    select blamable.repository_id, blamable.number, blamable.chain, deployments.deployment_key, 'sha' as rule,
           1.0 as confidence, mentions.evidence, deployments.deployed_at
    from mentions
    join blamable using (repository_id, number)
    join deployments
      on deployments.repository_id = mentions.repository_id
     and deployments.chain = blamable.chain
     and starts_with(deployments.sha, mentions.what)
    where mentions.kind = 'sha'
    union all
    select blamable.repository_id, blamable.number, blamable.chain, shipped.deployment_key, named_commits.rule,
           named_commits.confidence, named_commits.evidence, shipped.deployed_at
    from named_commits
    join blamable using (repository_id, number)
    join metrics.deployment_commits as shipped
      on shipped.repository_id = named_commits.repository_id
     and shipped.chain = blamable.chain
     and shipped.sha = named_commits.sha
    left join raw.commits as commits
      on commits.repository_id = named_commits.repository_id
     and commits.sha = named_commits.sha
     and cardinality(blamable.paths) > 0
    where not shipped.is_baseline
      -- What a service's deployment contains and does not belong to the service, it did not ship.
      and (
          commits.directories is null
          or exists (
              select 1
              from unnest(commits.directories) as directory
              cross join unnest(blamable.paths) as path
              where directory = path or starts_with(directory, path || '/')
          )
      )
    union all
    select blamable.repository_id, blamable.number, blamable.chain, deployments.deployment_key, 'version', 0.8,
           mentions.evidence, deployments.deployed_at
    from mentions
    join blamable using (repository_id, number)
    join deployments
      on deployments.repository_id = mentions.repository_id
     and deployments.chain = blamable.chain
     and deployments.bare_version = mentions.what
    where mentions.kind = 'version'
    union all
    select blamable.repository_id, blamable.number, blamable.chain, latest.deployment_key, 'service', 0.5,
           'label:' || blamable.label, latest.deployed_at
    from blamable
    cross join lateral (
        select deployments.deployment_key, deployments.deployed_at
        from metrics.deployments as deployments
        where deployments.repository_id = blamable.repository_id
          and deployments.chain = blamable.chain
          and deployments.outcome = 'succeeded'
          and deployments.finished_at <= blamable.created_at
          and deployments.finished_at >= blamable.created_at - blamable.maximum_gap
        order by deployments.finished_at desc, deployments.deployment_key desc
        limit 1
    ) as latest
    where blamable.label is not null
    union all
    select * from (
        select distinct on (blamable.repository_id, blamable.number)
            blamable.repository_id, blamable.number, blamable.chain, latest.deployment_key, 'time', 0.3,
            'the last deployment before', latest.deployed_at
        from blamable
        cross join lateral (
            select deployments.deployment_key, deployments.deployed_at
            from metrics.deployments as deployments
            where deployments.repository_id = blamable.repository_id
              and deployments.chain = blamable.chain
              and deployments.outcome = 'succeeded'
              and deployments.finished_at <= blamable.created_at
              and deployments.finished_at >= blamable.created_at - blamable.maximum_gap
            order by deployments.finished_at desc, deployments.deployment_key desc
            limit 1
        ) as latest
        order by blamable.repository_id, blamable.number, latest.deployed_at desc, latest.deployment_key desc
    ) as by_time
),

decisions as (
    -- The newest decision of each incident and deployment, however the deployment was named.
    select distinct on (incident_issues.repository_id, incident_issues.number, deployments.chain,
                        deployments.deployment_key)
        incident_issues.repository_id,
        incident_issues.number,
        deployments.chain,
        deployments.deployment_key,
        deployments.deployed_at,
        corrections.verdict,
        corrections.decided_at,
        'hand: ' || coalesce(nullif(corrections.note, ''), corrections.deployment) as evidence
    from incident_issues
    join raw.incident_corrections as corrections
      on corrections.repository = incident_issues.repository and corrections.issue_number = incident_issues.number
    join deployments
      on deployments.repository_id = incident_issues.repository_id
     and (
         deployments.deployment_key = corrections.deployment
         or deployments.version = corrections.deployment
         or deployments.bare_version = ltrim(corrections.deployment, 'v')
         or (length(corrections.deployment) >= 7 and starts_with(deployments.sha, lower(corrections.deployment)))
     )
    order by incident_issues.repository_id, incident_issues.number, deployments.chain, deployments.deployment_key,
             corrections.decided_at desc, corrections.verdict
),

candidates as (
    select repository_id, number, chain, deployment_key, 'hand' as rule, 1.0 as confidence, evidence, deployed_at,
           decided_at
    from decisions
    where verdict = 'caused'
    union all
    select found.*, null
    from found
    where not exists (
        select 1 from decisions
        where decisions.repository_id = found.repository_id
          and decisions.number = found.number
          and decisions.chain = found.chain
          and decisions.deployment_key = found.deployment_key
          and decisions.verdict = 'not caused'
    )
),

links as (
    -- Several commits may lead to the same deployment by the same rule; the surest of them is its evidence.
    select distinct on (candidates.repository_id, candidates.number, candidates.chain, candidates.deployment_key,
                        candidates.rule)
        candidates.*,
        incident_issues.repository,
        incident_issues.created_at
    from candidates
    join incident_issues using (repository_id, number)
    where candidates.deployed_at <= incident_issues.created_at
    order by candidates.repository_id, candidates.number, candidates.chain, candidates.deployment_key,
             candidates.rule, candidates.confidence desc, candidates.evidence
)

select
    links.repository_id,
    links.repository,
    links.number as issue_number,
    links.chain,
    links.deployment_key,
    links.rule,
    links.confidence,
    links.evidence,
    links.deployed_at,
    extract(epoch from links.created_at - links.deployed_at) / 3600 as gap_hours,
    row_number() over (
        partition by links.repository_id, links.number
        order by links.confidence desc, links.decided_at desc nulls last, (labels.label is not null) desc,
                 links.deployed_at desc, links.deployment_key, links.chain, links.rule
    ) = 1 as is_chosen,
    links.created_at
from links
left join labels using (repository_id, number, chain)
