"""Behind a proxy everybody is told apart by what it says of them; what anybody else says of himself counts for nothing."""

from pathlib import Path

import httpx
import pytest

from tests.support.server import ALICE, PASSWORD, Server

_MOST = 20
"""Failed sign-ins that one address may have."""


def signs_in(server: Server, password: str, address: str) -> httpx.Response:
    with httpx.Client(base_url=server.url, timeout=30) as browser:
        headers = {"Origin": server.url, "X-Forwarded-For": address, "X-Forwarded-Proto": "https"}
        return browser.post("/sign-in", data={"email": ALICE, "password": password}, headers=headers)


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.1.2.3"])
def test_a_stranger_behind_a_trusted_proxy_closes_sign_in_for_himself_alone(tmp_path: Path, trusted: str) -> None:
    server = Server(tmp_path / "data", {"MODELTRACES_TRUSTED_PROXIES": trusted}).start()
    try:
        server.cast()
        entered = signs_in(server, PASSWORD, "203.0.113.1")
        assert entered.status_code == 303
        assert ("Secure" in entered.headers["set-cookie"]) == (trusted == "127.0.0.1")
        if trusted != "127.0.0.1":
            return
        for number in range(_MOST):
            with httpx.Client(base_url=server.url, timeout=30) as browser:
                browser.post(
                    "/sign-in",
                    data={"email": f"nobody-{number}@example.com", "password": "wrong"},
                    headers={"Origin": server.url, "X-Forwarded-For": "203.0.113.66"},
                )
        assert signs_in(server, PASSWORD, "203.0.113.66").status_code == 429
        assert signs_in(server, PASSWORD, "203.0.113.2").status_code == 303
    finally:
        server.close()
