"""What the audit log calls what was done. A test holds this list against the code that writes entries."""

from typing import Final

from modeltraces.catalog import audit
from modeltraces.catalog.db import Catalog
from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.nearest import nearest_names

ACTIONS: Final = (
    "account.create",
    "connection.add",
    "connection.delete",
    "connection.edit",
    "deployment.add",
    "deployment.delete",
    "deployment.deploy",
    "deployment.edit",
    "deployment.scale",
    "deployment.strike",
    "deployment.undeploy",
    "hardware.add",
    "hardware.price",
    "hardware.remove",
    "key.change",
    "key.create",
    "key.revoke",
    "match_rule.add",
    "match_rule.delete",
    "match_rule.edit",
    "match_rule.order",
    "member.add",
    "member.remove",
    "member.role",
    "model.add",
    "model.delete",
    "model.edit",
    "model.merge",
    "model.unmerge",
    "rematch.start",
    "retention.change",
    "retention.sweep",
    "user.disable",
    "user.enable",
    "user.password",
)


def check_action(catalog: Catalog, account_id: str, action: str) -> None:
    """`action` as a filter has it, with a `*` at its end or without. Raises Invalid for what no entry can have."""
    if _is_among(action, ACTIONS):
        return
    # Entries are kept for ever: older versions may have called it otherwise.
    known = (*ACTIONS, *audit.choices(catalog, account_id).actions)
    if not _is_among(action, known):
        near = nearest_names(action, dict.fromkeys(known))
        if action.endswith("*"):
            nouns = dict.fromkeys(one.partition(".")[0] for one in known)
            near = [f"{noun}.*" for noun in nearest_names(action.partition(".")[0].rstrip("*"), nouns)]
        hint = f"Did you mean {' or '.join(near)}?" if near else "docs/api.md lists them."
        raise Invalid(f"There is no action {action[:80]!r}. {hint}", parameter="action")


def _is_among(action: str, known: tuple[str, ...]) -> bool:
    if action.endswith("*"):
        return any(one.startswith(action[:-1]) for one in known)
    return not action or action in known
