-- A chain is a sequence of deployments of which each ships what is new in it: the repository's own (''), one per
-- service of a monorepo (its name), one per further environment ('@' and its name). A repository with services has
-- no chain of its own: its figures are made of its services'.
create or replace view ops.chains as
select
    repository_id, repository, '' as chain, 'repository' as kind, repository as subject, team,
    deployment_source, environment, workflow, job, release_tag_pattern, '{}'::text[] as paths
from ops.repository_settings
where not chains @> '[{"kind": "service"}]'
union all
select
    settings.repository_id, settings.repository, chain.chain, chain.kind,
    settings.repository || case chain.kind when 'service' then '#' else '' end || chain.chain as subject,
    coalesce(chain.team, settings.team) as team,
    coalesce(chain.deployment_source, settings.deployment_source) as deployment_source,
    coalesce(chain.environment, settings.environment) as environment,
    coalesce(chain.workflow, settings.workflow) as workflow,
    coalesce(chain.job, settings.job) as job,
    coalesce(chain.release_tag_pattern, settings.release_tag_pattern) as release_tag_pattern,
    coalesce(chain.paths, '{}') as paths
from ops.repository_settings as settings
cross join jsonb_to_recordset(settings.chains) as chain (
    chain text, kind text, team text, deployment_source text, environment text, workflow text, job text,
    release_tag_pattern text, paths text[]
)
where settings.chains <> '[]';  -- so that the planner knows that most repositories have none
