"""Settings → Gateway: what it says of names that nobody knows, and what it shows for models that do not chat."""

import html
import re

import pytest

from modeltraces.catalog import connections, key_usage, keys
from modeltraces.catalog.key_usage import DAY, Used, window_of
from modeltraces.gateway.target_book import TargetBook
from modeltraces.run import now_us
from modeltraces.web.address import GATEWAY
from tests.web.conftest import CatalogSite


@pytest.fixture
def site(site: CatalogSite) -> CatalogSite:
    """As the demo has it: a provider that takes any name, two that name theirs."""
    site.app.state.gateway.targets = TargetBook(site.catalog, site.registry, ttl_seconds=0)
    for name, protocol, models in (
        ("anthropic-prod", "anthropic", ["*"]),
        ("azure-eu", "openai", ["gpt-4o"]),
        ("openai-direct", "openai", ["gpt-4o", "text-embedding-3-small", "bge-m3", "gpt-image-1", "embed-and-chat"]),
    ):
        values = {"name": name, "protocol": protocol, "base_url": "http://127.0.0.1:9/v1", "models": models}
        connections.create(site.catalog, site.account_id, values, site.vault, actor="t")
    site.seen("gpt-4o", model_kind="external", connection_name="azure-eu", operation="chat")
    return site


def page(site: CatalogSite, model: str) -> str:
    answer = site.get(f"{GATEWAY}?model={model}")
    assert answer.status_code == 200
    return answer.text


def words(text: str) -> str:
    """The page's own, without what stands in menus."""
    inner = re.sub(r"(?s)<details.*?</details>", "", text.partition("<main")[2])
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", inner)))


def test_a_name_that_only_a_connection_to_every_model_takes_is_told_as_that_with_what_may_be_meant(
    site: CatalogSite,
) -> None:
    text = page(site, "gpt4o")
    says = (
        "No model “gpt4o” is in the catalog, and no connection names it. anthropic-prod takes any name, so the call goes "
        "there. Did you mean gpt-4o?"
    )
    assert says in words(text)
    assert '<a href="/settings/gateway?model=gpt-4o"' in text
    assert "anthropic-prod reaches every model, also those that the catalog does not know yet." in words(text)
    for known in ("gpt-4o", "bge-m3", "GPT-4O", "gpt-4o@azure-eu"):
        assert "is in the catalog, and no connection names it" not in words(page(site, known)), known


def test_a_name_at_a_place_that_does_not_have_it_is_told_by_the_place(site: CatalogSite) -> None:
    text = words(page(site, "gpt-4@openai-direct"))
    assert "openai-direct names no model “gpt-4”: add it there under Settings, Connections." in text
    assert "Did you mean gpt-4o@openai-direct?" in text
    assert "no connection that reaches every model" not in text
    text = words(page(site, "no-such@nowhere"))
    assert "There is no model “no-such” in this account, and no deployment or connection “nowhere”." in text
    assert "no connection that reaches every model" not in text
    # One that the catalog has is the gateway's to explain.
    assert "gpt-4o has no deployment or connection 'v9'" in words(page(site, "gpt-4o@v9"))
    # That connection does reach it.
    assert "anthropic-prod takes any name" in words(page(site, "no-such@anthropic-prod"))


def tools(text: str) -> list[str]:
    return re.findall(r'data-tool="([^"]+)"', text)


def test_a_model_for_embeddings_is_called_for_embeddings(site: CatalogSite) -> None:
    # By its name, as long as it was not called.
    text = page(site, "text-embedding-3-small")
    assert tools(text) == [
        "curl-embeddings", "python-embeddings", "typescript-embeddings", "langchain-embeddings", "vercel-embeddings",
    ]  # fmt: skip
    assert "chat.completions" not in text
    assert tools(page(site, "text-embedding-3-small@openai-direct"))[0] == "curl-embeddings"
    # By its calls, whatever it is called.
    assert tools(page(site, "bge-m3"))[0] == "curl-openai"
    site.seen("bge-m3", model_kind="external", connection_name="openai-direct", operation="embeddings")
    assert tools(page(site, "bge-m3"))[0] == "curl-embeddings"
    site.seen("embed-and-chat", model_kind="external", connection_name="openai-direct", operation="chat")
    assert tools(page(site, "embed-and-chat"))[0] == "curl-openai"
    # What Anthropic's API does not have is not offered by it.
    assert tools(page(site, "my-embedder@anthropic-prod"))[0] == "curl-anthropic"


def test_of_a_model_for_something_else_it_says_that_the_example_is_a_chat(site: CatalogSite) -> None:
    assert "is called for" not in words(page(site, "gpt-image-1"))
    site.seen("gpt-image-1", model_kind="external", connection_name="openai-direct", operation="image_generation")
    text = words(page(site, "gpt-image-1"))
    assert (
        "gpt-image-1 is called for “image_generation”, of which there is no example here: what follows is a chat."
        in text
    )
    assert "is called for" not in words(page(site, "gpt-4o"))


def test_a_key_that_has_used_up_its_day_is_taken_last_and_says_so(site: CatalogSite) -> None:
    def shown() -> tuple[str, str]:
        text = page(site, "gpt-4o")
        return text.partition('aria-label="Key: ')[2].partition('"')[0], words(text)

    def made(name: str, **limits: object) -> str:
        found = keys.create_key(site.catalog, site.account_id, name, actor="t", scopes=("gateway",), limits=limits)[1]
        return found.id

    plain = made("sparse", recording="metadata")
    bound = made("bound", tokens_per_day=1000)
    assert shown()[0] == "bound"
    key_usage.add(site.catalog, {window_of(bound, DAY, now_us()): Used(tokens=999)})
    assert shown()[0] == "bound"
    key_usage.add(site.catalog, {window_of(bound, DAY, now_us()): Used(tokens=1)})
    assert shown()[0] == "sparse"
    used_up = "This key has used up its 1 000 tokens of today: calls are refused until midnight, UTC."
    assert used_up not in shown()[1]
    keys.revoke_key(site.catalog, site.account_id, plain, actor="t")
    name, text = shown()
    assert (name, used_up in text) == ("bound", True)
