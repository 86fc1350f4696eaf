"""What a connection's test says of a server's answers."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from modeltraces.gateway import probe as probing
from modeltraces.gateway.probe import probe
from tests.gateway.fake import KEY, MODELS, Fake, answering, http, run, sending


def test_a_connection_that_works_says_how_many_models_there_are() -> None:
    found, fake = run(answering(200, MODELS))
    assert (found.ok, found.says, found.status) == (True, "It works: 2 models.", 200)
    assert found.models == ("gpt-4o", "gpt-4o-mini")
    assert found.elapsed_ms > 0
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("protocol", "path", "line", "header"),
    [
        ("openai", "/v1", "GET /v1/models HTTP/1.1", ("authorization", f"Bearer {KEY}")),
        ("anthropic", "", "GET /v1/models HTTP/1.1", ("x-api-key", KEY)),
        ("anthropic", "/v1", "GET /v1/models HTTP/1.1", ("x-api-key", KEY)),
        ("azure_openai", "", "GET /openai/models?api-version=2024-10-21 HTTP/1.1", ("api-key", KEY)),
        ("azure_openai", "/openai", "GET /openai/models?api-version=2024-10-21 HTTP/1.1", ("api-key", KEY)),
        ("azure_openai", "/openai/v1", "GET /openai/models?api-version=2024-10-21 HTTP/1.1", ("api-key", KEY)),
        ("ollama", "", "GET /api/tags HTTP/1.1", ("authorization", f"Bearer {KEY}")),
    ],
)
def test_each_protocol_is_asked_in_its_own_words(protocol: str, path: str, line: str, header: tuple[str, str]) -> None:
    found, fake = run(answering(200, MODELS), protocol, path=path)
    assert found.ok
    assert fake.line == line
    assert fake.headers[header[0]] == header[1]
    assert KEY not in fake.line


@pytest.mark.parametrize("protocol", ["openai", "anthropic", "azure_openai", "ollama"])
def test_without_a_credential_none_is_sent(protocol: str) -> None:
    found, fake = run(answering(200, MODELS), protocol, "")
    assert found.ok
    assert not {"authorization", "x-api-key", "api-key"} & set(fake.headers)


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"models": [{"name": "llama3:8b", "model": "llama3:8b"}]}, ("llama3:8b",)),
        ({"data": []}, ()),
        ({"data": [{"id": 5}, "x", None, {"id": ""}, {"name": "n"}, {"id": "ok"}]}, ("n", "ok")),
        ({"data": [{"id": "a\u001b[31mb"}, {"id": "ok"}]}, ("ok",)),
        ({"data": [{"id": "x" * 10_000}, {"id": "ok"}]}, ("ok",)),
        ({"data": [{"id": f"wrong {KEY}"}, {"id": "ok"}]}, ("ok",)),
    ],
)
def test_the_models_are_read_as_far_as_they_make_sense(body: Any, models: tuple[str, ...]) -> None:
    found, _ = run(answering(200, body))
    assert (found.ok, found.models) == (True, models)
    assert found.says == f"It works: {len(models)} model{'' if len(models) == 1 else 's'}."


def test_a_long_answer_in_many_pieces_is_read_to_its_end() -> None:
    body = json.dumps(
        {"data": [{"id": f"model-{number}", "description": "x" * 500} for number in range(4000)]}
    ).encode()
    content = http(200, body)
    pieces = [content[start : start + 50_000] for start in range(0, len(content), 50_000)]
    found, _ = run(sending(*pieces, pause=0.002))
    assert found.ok, found.says
    assert found.models[:2] == ("model-0", "model-1")
    assert found.says == "It works: 4000 models."


def test_a_compressed_answer_is_read() -> None:
    found, _ = run(answering(200, gzip.compress(json.dumps(MODELS).encode()), "Content-Encoding: gzip"))
    assert found.says == "It works: 2 models."


def test_an_answer_without_end_is_read_no_further_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_MOST_BYTES", 1 << 16)

    async def endless(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        for _piece in range(10_000):
            writer.write(b"[" * 4096)
            await writer.drain()

    found, _ = run(endless)
    assert (found.ok, found.says) == (
        False,
        "Its answer is longer than any list of models. Is the path of the address right?",
    )


def test_a_compressed_answer_that_swells_is_read_no_further_than_needed() -> None:
    found, _ = run(answering(200, gzip.compress(b" " * (64 << 20)), "Content-Encoding: gzip"))
    assert not found.ok


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_to_enter_the_right_credential_and_what_the_server_says(status: int) -> None:
    found, _ = run(answering(status, {"error": {"message": "Incorrect API key\n provided.", "type": "x"}}))
    assert (found.ok, found.status, found.elapsed_ms > 0) == (False, status, True)
    assert found.says == (
        f"HTTP {status}. It refused the credential. Enter the right one. It says: Incorrect API key provided."
    )


@pytest.mark.parametrize(
    "said",
    [
        KEY,
        f"Incorrect API key provided: {KEY}. Find yours elsewhere.",
        f"Bearer {KEY}",
        f"{'x' * 290} {KEY}",
        " ".join([KEY] * 30),
        KEY.upper(),
        KEY[:8] + "\n" + KEY[8:],
        f"{KEY[:-4]}****",
        f"…{KEY[6:]}",
    ],
)
def test_a_server_that_repeats_the_credential_does_not_make_it_shown(said: str) -> None:
    found, _ = run(answering(401, {"error": {"message": said}}))
    assert found.says.startswith("HTTP 401. It refused the credential. Enter the right one.")
    squeezed = found.says.lower().replace(" ", "")
    for start in range(len(KEY) - 9):
        assert KEY[start : start + 10].lower() not in squeezed


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"error": "plain"}, " It says: plain"),
        ({"message": "at the top"}, " It says: at the top"),
        ({"detail": "Not Found"}, " It says: Not Found"),
        ({"error": {"message": 7}}, ""),
        ({"error": None}, ""),
        ([], ""),
        (b"<html>not found</html>", ""),
        (b"\xff\xfe\x00", ""),
        (b"", ""),
        ({"error": {"message": "a\x1b[31mred\x00\u202e"}}, " It says: a[31mred"),
        ({"error": {"message": "x" * 5000}}, " It says: " + "x" * 300),
    ],
)
def test_a_wrong_path_says_so_with_what_the_server_says_where_that_is_text(body: Any, says: str) -> None:
    found, _ = run(answering(404, body))
    assert found.says == f"HTTP 404. It has no list of models there. Is the path of the address right?{says}"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (204, "HTTP 204. It answered, but not with a list of models."),
        (429, "HTTP 429. It is over its rate limit; the connection itself works."),
        (500, "HTTP 500. It answered with an error."),
        (503, "HTTP 503. It answered with an error."),
        (418, "HTTP 418. It answered with an error."),
    ],
)
def test_other_statuses_are_told_apart(status: int, says: str) -> None:
    found, _ = run(answering(status, b""))
    assert (found.ok, found.status) == (False, status)
    assert found.says.startswith(says)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_as_it_could_lead_the_credential_elsewhere(status: int) -> None:
    async def go() -> None:
        async with (
            Fake(answering(200, MODELS)) as elsewhere,
            Fake(answering(status, b"", f"Location: {elsewhere.base_url}/models")) as fake,
        ):
            found = await probe("openai", fake.base_url, KEY)
            assert found.says == f"HTTP {status}. It answered with a redirect; enter the address that it leads to."
            assert elsewhere.requests == []

    asyncio.run(go())


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"",
        b"[]",
        b"null",
        b"5",
        b'{"data": 5}',
        b'{"data": null}',
        b'{"data": [',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_no_list_of_models_is_no_success(body: bytes) -> None:
    found, _ = run(answering(200, body))
    assert (found.ok, found.status) == (False, 200)
    assert found.says == "It answered, but not with a list of models. Is the path of the address right?"
