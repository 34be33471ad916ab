-- Every gate that counts, on the newest day that it was evaluated, with its title and the verdict on the newest
-- release; one row a subject. A gate that was never evaluated is unknown.
create or replace view metrics.gate_status as
with active as (
    select distinct criteria.gate, criteria.gate_title, criteria.subject_kind, criteria.subject, criteria.owner, criteria.pack
    from metrics.gate_criteria as criteria
    where criteria.pack is null or criteria.pack in (select unnest(packs) from ops.portfolio)
)
select
    active.gate,
    active.gate_title as title,
    active.owner,
    active.pack,
    active.subject_kind,
    coalesce(evaluation.subject, active.subject) as subject,
    evaluation.date,
    coalesce(evaluation.verdict, 'unknown') as verdict,
    evaluation.score,
    evaluation.must_missing,
    evaluation.missing,
    evaluation.criteria,
    frozen.repository as released_by,
    frozen.release,
    frozen.released_on,
    frozen.verdict as release_verdict,
    frozen.score as release_score
from active
left join lateral (
    select max(every.date) as date from metrics.gate_evaluations as every where every.gate = active.gate
) as newest on true
left join metrics.gate_evaluations as evaluation on evaluation.gate = active.gate and evaluation.date = newest.date
left join lateral (
    select verdicts.*
    from metrics.gate_verdicts as verdicts
    where verdicts.gate = evaluation.gate
      and verdicts.subject_kind = evaluation.subject_kind
      and verdicts.subject = evaluation.subject
    order by verdicts.released_on desc, verdicts.frozen_at desc, verdicts.repository_id, verdicts.release
    limit 1
) as frozen on true;
