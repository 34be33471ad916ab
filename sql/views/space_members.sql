-- Who counts in SPACE: the people of the teams that metrics.yaml lists under space, by team; and all of them together
-- for the portfolio. For counting only, never served.
create or replace view ops.space_members as
select 'team' as subject_kind, members.team as subject, members.person_key
from ops.team_members as members
where exists (select 1 from ops.portfolio where members.team = any (space_teams))
union
select 'portfolio', portfolio.portfolio, members.person_key
from ops.team_members as members
join ops.portfolio as portfolio on members.team = any (portfolio.space_teams);
