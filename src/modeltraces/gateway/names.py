"""What a call may name as its model: where a connection takes every name, whatever a caller types goes upstream, and may become a
model."""

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.text import LONGEST_NAME, clean_name
from modeltraces.gateway.errors import Refused


def check_model(asked: str) -> None:
    """`name`, `name@version` or `name@connection`. Raises Refused for what can be none."""
    name, at, place = asked.rpartition("@")
    if at and not place:
        raise Refused(400, "The model's name must have a version or a connection after the @, or no @ at its end.")
    try:
        for part in (name, place):
            if part:
                clean_name(part, "The model's name", LONGEST_NAME)
    except Invalid as error:
        raise Refused(400, str(error)) from error
    if asked != asked.strip():
        raise Refused(400, f"The model's name must have no spaces around it: send {asked.strip()[:LONGEST_NAME]!r}.")
