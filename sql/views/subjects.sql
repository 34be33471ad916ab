-- What figures of delivery are about, and the chains that each is made of: repositories, services ('owner/name#api'),
-- environments ('owner/name@staging'), teams, and the portfolio. Further environments count for themselves alone.
create or replace view ops.subjects as
with chains as (
    select repository_id, repository, chain, kind, subject, team from ops.chains
)
select 'repository' as subject_kind, repository as subject, repository_id, chain
from chains where kind <> 'environment'
union all
select kind, subject, repository_id, chain
from chains where kind <> 'repository'
union all
select 'team', team, repository_id, chain
from chains where kind <> 'environment' and team is not null
union all
select 'portfolio', portfolio.portfolio, repository_id, chain
from chains cross join ops.portfolio as portfolio
where kind <> 'environment';
