"""Calls before an upstream that fails at random; `python -m tests.gateway.random_calls` makes ten thousand."""

from tests.gateway.random_calls import differences
from tests.support.server import Server


def test_every_call_has_one_run_that_says_what_the_caller_saw(server: Server) -> None:
    assert differences(server, server.new_account("random faults"), seed=2026, count=300) == []
