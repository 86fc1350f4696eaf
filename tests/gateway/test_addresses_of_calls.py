"""Which address of an upstream a call goes to, by the protocol and the base address that it was given."""

import pytest

from modeltraces.gateway.calls import address_of_call
from modeltraces.gateway.errors import Refused
from modeltraces.gateway.targets import Target

CHAT, AT = "chat/completions", "http://127.0.0.1:9"
VERSION = "api-version=2024-10-21"


def address(protocol: str, base: str, path: str = CHAT, query: str = "", model: str = "gpt-4o") -> str:
    return address_of_call(Target("m", "", "c", "", protocol, base, model, None), path, query)


@pytest.mark.parametrize(
    ("protocol", "base", "path", "query", "expected"),
    [
        ("openai", f"{AT}/v1", CHAT, "", f"{AT}/v1/{CHAT}"),
        # Some have no /v1, so none is added: the address is what an SDK takes as its base URL.
        ("openai", AT, CHAT, "", f"{AT}/{CHAT}"),
        ("openai", f"{AT}/v1beta/openai", "embeddings", "a=1", f"{AT}/v1beta/openai/embeddings?a=1"),
        ("anthropic", AT, "messages", "beta=true", f"{AT}/v1/messages?beta=true"),
        ("anthropic", f"{AT}/v1", "messages", "", f"{AT}/v1/messages"),
        ("ollama", AT, CHAT, "", f"{AT}/v1/{CHAT}"),
        ("ollama", f"{AT}/v1", CHAT, "", f"{AT}/v1/{CHAT}"),
        ("azure_openai", AT, CHAT, "", f"{AT}/openai/deployments/gpt-4o/{CHAT}?{VERSION}"),
        ("azure_openai", f"{AT}/openai", CHAT, "", f"{AT}/openai/deployments/gpt-4o/{CHAT}?{VERSION}"),
        ("azure_openai", f"{AT}/openai/v1", CHAT, "", f"{AT}/openai/v1/{CHAT}"),
        (
            "azure_openai", AT, "audio/speech", "api-version=2025-01-01-preview",
            f"{AT}/openai/deployments/gpt-4o/audio/speech?api-version=2025-01-01-preview",
        ),
        ("azure_openai", AT, "embeddings", "x=1", f"{AT}/openai/deployments/gpt-4o/embeddings?x=1&{VERSION}"),
        ("azure_openai", f"{AT}/openai/deployments/prod", CHAT, "", f"{AT}/openai/deployments/prod/{CHAT}?{VERSION}"),
        ("azure_openai", AT, "files", "", f"{AT}/openai/files?{VERSION}"),
        ("azure_openai", f"{AT}/openai/deployments/prod", "files", "", f"{AT}/openai/files?{VERSION}"),
        ("azure_openai", AT, "responses", "", f"{AT}/openai/v1/responses"),
        ("azure_openai", f"{AT}/openai/deployments/prod", "responses/r1", "", f"{AT}/openai/v1/responses/r1"),
    ],
)  # fmt: skip
def test_an_upstreams_base_address_may_be_written_in_several_ways(
    protocol: str, base: str, path: str, query: str, expected: str
) -> None:
    assert address(protocol, base, path, query) == expected


@pytest.mark.parametrize(
    ("model", "spelled"), [("a/../b", "a%2F..%2Fb"), ("x?y#z", "x%3Fy%23z"), ("grö ße", "gr%C3%B6%20%C3%9Fe")]
)
def test_a_models_name_stays_one_part_of_the_path(model: str, spelled: str) -> None:
    assert address("azure_openai", AT, model=model) == f"{AT}/openai/deployments/{spelled}/{CHAT}?{VERSION}"


def test_a_name_that_leads_out_of_the_deployments_is_refused() -> None:
    with pytest.raises(Refused, match="no model's name"):
        address("azure_openai", AT, model="..")
