-- The commits that the default branch got by a merge: those that are not on its first-parent line. By day and as
-- arrays, because they are read a range at a time and a row for each would take longer to write than to find.
create table metrics.side_commits (
    repository_id bigint not null,
    date date not null,  -- on which they were committed
    shas text[] not null,
    primary key (repository_id, date)
);
create index on metrics.side_commits (date);

-- What a range of days reads, and what a later range brings up to date, without reading every change there ever was.
drop index metrics.changes_repository_id_chain_merged_at_idx;
drop index metrics.changes_repository_id_chain_deployed_at_idx;
create index on metrics.changes (merged_at);
create index on metrics.changes (deployed_at);
create index on metrics.changes (repository_id) where state = 'waiting';
create index on metrics.changes (repository_id) where state = 'untied';

-- A commit is looked for in its chain, by the key; a deployment's commits by nobody. A year of a large portfolio is a
-- million rows here, and each index a fifth of the time that they take.
drop index metrics.deployment_commits_repository_id_sha_idx;
drop index metrics.deployment_commits_repository_id_deployment_key_idx;
