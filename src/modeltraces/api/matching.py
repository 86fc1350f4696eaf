"""`/api/v1/matching`: the rules of which model, deployment or connection a run belongs to."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from modeltraces.api.bodies import instant_of, object_of
from modeltraces.api.errors import Problem
from modeltraces.api.identity import Admin, Reader
from modeltraces.api.state import parts_of
from modeltraces.catalog import jobs
from modeltraces.catalog.jobs import Job
from modeltraces.catalog.matching import book
from modeltraces.catalog.matching.past import Differences
from modeltraces.catalog.matching.rules import FACTS, Fact, Rule
from modeltraces.catalog.matching.written import SETTABLE, WrittenRule
from modeltraces.query.times import rfc3339
from modeltraces.run import now_us

router = APIRouter(prefix="/api/v1/matching", tags=["matching"])

_MOST_GROUPS_SHOWN = 100


def written_json(rule: WrittenRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "position": rule.position,
        "enabled": rule.enabled,
        "conditions": rule.conditions,
        "outcomes": rule.outcomes,
    }


def implied_json(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "conditions": {fact: list(patterns) for fact, patterns in rule.conditions},
        "outcomes": dict(rule.outcomes),
        "from": None if rule.from_us is None else rfc3339(rule.from_us),
        "to": None if rule.to_us is None else rfc3339(rule.to_us),
    }


def job_json(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "error": job.error or None,
        "actor": job.actor,
        "started_on": rfc3339(job.started_on_us),
        "ended_on": None if job.ended_on_us is None else rfc3339(job.ended_on_us),
    }


def differences_json(found: Differences) -> dict[str, Any]:
    largest = sorted(found.groups, key=lambda group: -group.runs)[:_MOST_GROUPS_SHOWN]
    return {
        "total_runs": found.total,
        "changed_runs": found.changed,
        "changes": [
            {
                "said": dict(zip(FACTS, group.said, strict=True)),
                "now": _outcomes(group.now.model, group.now.deployment_version, group.now.connection_name),
                "then": _outcomes(group.then.model, group.then.deployment_version, group.then.connection_name),
                "by": group.then.by or None,
                "runs": group.runs,
            }
            for group in largest
        ],
    }


def _outcomes(model: str, version: str, connection: str) -> dict[str, str | None]:
    return {"model": model, "deployment_version": version or None, "connection_name": connection or None}


@router.get("/rules", summary="The rules")
async def list_rules(request: Request, identity: Reader) -> dict[str, Any]:
    """`{rules: […], implied: […]}`: those that are written, in their order, and those that the catalog implies.

    The first written rule whose conditions are all met decides; the implied ones then fill what is still open.
    """
    parts = parts_of(request)
    written = await parts.workers.look_up(book.list_rules, parts.catalog, identity.account_id)
    every = await parts.workers.look_up(parts.rules.rules, identity.account_id)
    return {
        "rules": [written_json(rule) for rule in written],
        "implied": [implied_json(rule) for rule in every.rules if rule.only_fills],
    }


@router.post("/rules", summary="Add a rule", status_code=201)
async def create_rule(request: Request, identity: Admin) -> dict[str, Any]:
    """`{name, conditions: {model|base_model|provider|server_address|deployment_version|connection_name|key: pattern or
    [patterns]}, outcomes: {model?|deployment_version?|connection_name?}, enabled?, position?}`. `*` stands for any
    characters, `""` for what a recording does not say. It holds for runs to come; `apply` asks it of past ones.
    """
    parts = parts_of(request)
    body = await object_of(request, SETTABLE, required=("name", "conditions", "outcomes"))
    create = partial(book.create_rule, parts.catalog, identity.account_id, body, actor=identity.actor)
    return written_json(await parts.workers.look_up(create))


@router.patch("/rules/{name:path}", summary="Change a rule")
async def edit_rule(request: Request, name: str, identity: Admin) -> dict[str, Any]:
    """Any of its members; `position` moves it."""
    parts = parts_of(request)
    body = await object_of(request, SETTABLE)
    edit = partial(book.edit_rule, parts.catalog, identity.account_id, name, body, actor=identity.actor)
    return written_json(await parts.workers.look_up(edit))


@router.delete("/rules/{name:path}", summary="Delete a rule", status_code=204)
async def delete_rule(request: Request, name: str, identity: Admin) -> Response:
    """Past runs keep what it gave them until the rules are applied again."""
    parts = parts_of(request)
    await parts.workers.look_up(
        partial(book.delete_rule, parts.catalog, identity.account_id, name, actor=identity.actor)
    )
    return Response(status_code=204)


@router.post("/test", summary="Which model, deployment or connection would this get?")
async def test_rules(request: Request, identity: Reader) -> dict[str, Any]:
    """What a recording says, `{model?, base_model?, provider?, server_address?, deployment_version?, connection_name?, key?,
    on?}`, and what it would get: `{model, deployment_version, connection_name, by}`. Nothing is stored.
    """
    parts = parts_of(request)
    body = await object_of(request, (*FACTS, "on"))
    facts: dict[Fact, str] = {}
    for fact in FACTS:
        value = body.get(fact, "")
        if not isinstance(value, str):
            raise Problem(422, f"{fact} must be text.", parameter=fact)
        facts[fact] = value
    at = instant_of(body.get("on"), "on")
    rules = await parts.workers.look_up(parts.rules.rules, identity.account_id)
    found = rules.match(facts, now_us() if at is None else at)
    return {**_outcomes(found.model, found.deployment_version, found.connection_name), "by": found.by or None}


@router.get("/preview", summary="What applying the rules to past runs would change")
async def preview(request: Request, identity: Admin) -> dict[str, Any]:
    """`{total_runs, changed_runs, changes: [{said, now, then, by, runs}]}`, the largest changes first."""
    parts = parts_of(request)
    return differences_json(await parts.workers.query(parts.rematcher.preview, identity.account_id))


@router.post("/apply", summary="Apply the rules to past runs", status_code=202)
async def apply_rules(request: Request, identity: Admin) -> dict[str, Any]:
    """Starts a job and answers it: `{id, state, done, total, …}`, in runs. 409 while one runs."""
    parts = parts_of(request)
    start = partial(parts.rematcher.start, identity.account_id, actor=identity.actor)
    return job_json(await parts.workers.query(start))


@router.get("/jobs/{job_id}", summary="How far a job is")
async def get_job(request: Request, job_id: str, identity: Reader) -> dict[str, Any]:
    parts = parts_of(request)
    return job_json(await parts.workers.look_up(jobs.get, parts.catalog, identity.account_id, job_id))
