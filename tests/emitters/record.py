"""Records emitters anew: `python -m tests.emitters.record [EMITTER …]`, from the root of the repository.

With `--facts` nothing is recorded: the facts of `expected.py` are written into the recordings that are there.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

from tests.emitters.catalog import EMITTERS, Emitter
from tests.emitters.driver import Driver
from tests.emitters.environments import set_up
from tests.emitters.expected import EXPECTED
from tests.emitters.fake_provider import Provider
from tests.emitters.otlp import to_json
from tests.emitters.sink import Received, Sink

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"


def request_of(received: Received) -> dict[str, Any]:
    """One request as it is kept: decoded when it is OTLP, in base64 otherwise."""
    kept: dict[str, Any] = {
        "path": received.path,
        "content_type": received.content_type,
        "content_encoding": received.content_encoding,
        "chunked": received.chunked,
        "authorization": received.authorization,
    }
    try:
        return kept | {"body_json": to_json(received.path, received.content_type, received.body)}
    except (KeyError, ValueError):
        return kept | {"body_base64": base64.b64encode(received.body).decode()}


def without_paths(text: str) -> str:
    """Stack traces name files: where this checkout and this Python stand is nobody's business."""
    return text.replace(str(HERE.parents[1]), "/app").replace(sys.base_prefix, "/usr/local")


def write(emitter: str, scenario: str, recording: dict[str, Any]) -> None:
    recording["expected"] = EXPECTED[emitter][scenario]
    text = without_paths(json.dumps(recording, indent=1, ensure_ascii=False)) + "\n"
    (RECORDED / emitter / f"{scenario}.json").write_text(text, encoding="utf-8")
    print(emitter, scenario, len(recording["requests"]), "requests", len(text), "bytes")


def record(emitter: Emitter) -> None:
    provider, sink = Provider().start(), Sink().start()
    folder = RECORDED / emitter.name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    try:
        with Driver(emitter, provider_url=provider.url, otlp_url=sink.url) as driver:
            for scenario in driver.scenarios:
                driver.play(scenario)
                requests = [request_of(each) for each in sink.take() if not each.path.endswith("/metrics")]
                if not requests:
                    raise SystemExit(f"{emitter.name} sent nothing in scenario {scenario}")
                head = {"emitter": emitter.name, "scenario": scenario, "versions": driver.versions}
                write(emitter.name, scenario, head | {"requests": requests})
    finally:
        sink.stop()
        provider.stop()


def write_facts() -> None:
    for path in sorted(RECORDED.glob("*/*.json")):
        write(path.parent.name, path.stem, json.loads(path.read_text(encoding="utf-8")))


def main(arguments: list[str]) -> None:
    if arguments == ["--facts"]:
        write_facts()
        return
    set_up()
    for name in arguments or EMITTERS:
        record(EMITTERS[name])


if __name__ == "__main__":
    main(sys.argv[1:])
