"""The runs that the browser tests look at: few enough to count by hand, in an account of their own."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from modeltraces.catalog import accounts, users
from tests.support.server import PASSWORD, Server

ACCOUNT: Final = "browser"
DORA: Final = "dora@example.com"
"""Owner of the account."""
VERA: Final = "vera@example.com"
"""A viewer of it."""
LIVE_ACCOUNT: Final = "live"
LIV: Final = "liv@example.com"
"""Owner of the account that runs keep coming to."""
EVE: Final = "eve@example.com"
"""Owner of an account that never had a run."""

LLAMA, TUNED, GPT = "llama-3-8b", "support-tuned", "gpt-4o"
ARABIC: Final = "ما هي سياسة الإرجاع؟ أريد إعادة الطلب 🎁"
LONG_WORD: Final = "wort" * 300
BIG_CHARACTERS: Final = 600_000
ODD_IDS_MODEL: Final = "odd-ids"
ODD_IDS: Final = ('a/b?c=1&d#e%41"<i>', "x+y;z='1'", "%2F", "runs/1", "~")


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class World:
    server: Server
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def send(self, *runs: dict[str, Any], account: str = ACCOUNT) -> list[str]:
        key = self.server.key("ingest", account=account)
        answer = httpx.post(
            f"{self.server.url}/api/v1/runs", json=list(runs), headers={"Authorization": f"Bearer {key}"}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert not body.get("rejected"), body
        ids: list[str] = body["request_ids"]
        return ids

    def fill(self) -> "World":
        account_id = self.server.account_id(self.server.new_account(ACCOUNT))
        users.create(self.server.catalog, account_id, DORA, "owner", password=PASSWORD, actor="test")
        users.create(self.server.catalog, account_id, VERA, "viewer", password=PASSWORD, actor="test")
        live_id = self.server.account_id(self.server.new_account(LIVE_ACCOUNT))
        users.create(self.server.catalog, live_id, LIV, "owner", password=PASSWORD, actor="test")
        empty, _ = accounts.ensure(self.server.catalog, "never used", actor="test")
        users.create(self.server.catalog, empty.id, EVE, "owner", password=PASSWORD, actor="test")
        self.send(*self._deployed(), *self._external(), *self._tuned())
        self.send(*self._special(), *self._odd_ids())
        return self

    def _deployed(self) -> list[dict[str, Any]]:
        """120 runs of an open-source model, one every 50 minutes back from now; every 20th failed."""
        runs = []
        for i in range(120):
            failed = i % 20 == 10
            run: dict[str, Any] = {
                "model": LLAMA,
                "model_kind": "open_source",
                "base_model": "meta-llama/Meta-Llama-3-8B",
                "deployment_version": "v2" if i < 80 else "v1",
                "executed_on": stamp(self.now - timedelta(minutes=10 + 50 * i)),
                "response_time_ms": 100 + 10 * i,
                "source_type": "Agent" if i % 3 else "Workflow",
                "source": ("billing-agent", "refund agent", "triage")[i % 3],
                "input": f"Question {i}: where is my order?",
                "input_tokens": 12 + i,
                "request": {
                    "model": LLAMA,
                    "messages": [{"role": "user", "content": f"Question {i}: where is my order?"}],
                },
            }
            if failed:
                run["error"] = {"type": "RateLimitError", "message": f"Too many requests, number {i}", "code": "429"}
            else:
                run["output"] = f"Answer {i}: it is on its way."
                run["output_tokens"] = 7
                run["response"] = {
                    "model": LLAMA,
                    "choices": [{"message": {"content": f"Answer {i}: it is on its way."}}],
                }
            runs.append(run)
        return runs

    def _external(self) -> list[dict[str, Any]]:
        return [
            {
                "model": GPT,
                "model_kind": "external",
                "base_model": "gpt-4o-2024-11-20",
                "connection_name": "azure-eu",
                "executed_on": stamp(self.now - timedelta(hours=2, minutes=i)),
                "response_time_ms": 900 + i,
                "source_type": "API",
                "source": "checkout",
                "input": f"Summarise invoice {i}.",
                "output": f"Invoice {i} is paid.",
                "request": {"model": "gpt-4o", "temperature": 1.0, "messages": []},
                "response": {"id": f"chatcmpl-{i}", "model": "gpt-4o-2024-11-20"},
            }
            for i in range(10)
        ]

    def _tuned(self) -> list[dict[str, Any]]:
        return [
            {
                "model": TUNED,
                "model_kind": "fine_tuned",
                "deployment_version": "v7",
                "executed_on": stamp(self.now - timedelta(days=20, hours=i)),
                "response_time_ms": 50,
                "source_type": "Evaluation",
                "source": "nightly",
                "input": "An old question.",
                "output": "An old answer.",
                "request": {"model": TUNED, "messages": []},
            }
            for i in range(5)
        ]

    def _odd_ids(self) -> list[dict[str, Any]]:
        """Request IDs that were given from outside, with characters that mean something in addresses and markup."""
        return [
            {
                "request_id": request_id,
                "model": ODD_IDS_MODEL,
                "model_kind": "external",
                "executed_on": stamp(self.now - timedelta(days=50, minutes=i)),
                "input": f"Odd {i}",
                "request": {"model": ODD_IDS_MODEL, "n": i},
            }
            for i, request_id in enumerate(ODD_IDS)
        ]

    def _special(self) -> list[dict[str, Any]]:
        """Runs that a page could stumble over; a model of their own, three days old."""
        start = self.now - timedelta(days=40)
        texts = {
            "arabic": (ARABIC, "<script>window.pwned = 1</script> & <b>bold</b>"),
            "long-word": (LONG_WORD, LONG_WORD),
            "big": ("A line of a long text.\n" * (BIG_CHARACTERS // 23), "short"),
            "unknown": ("", ""),
        }
        return [
            {
                "request_id": f"special-{name}",
                "model": 'odd/model "quoted" <b>',
                "model_kind": "external",
                "executed_on": stamp(start + timedelta(minutes=i)),
                "input": before,
                "output": after,
                **(
                    {"request": {"model": "odd", "input": before, "big_number": 12345678901234567890}} if before else {}
                ),
            }
            for i, (name, (before, after)) in enumerate(texts.items())
        ]
