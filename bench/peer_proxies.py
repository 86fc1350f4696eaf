"""Other proxies that the gateway is measured beside, when they are installed: in environments of their own, on the same work."""

import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.server import free_port

_START_SECONDS: Final = 120
_CONFIG: Final = """
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: openai/gpt-4o, api_base: "{upstream}", api_key: none}}
"""
KEY: Final = "sk-of-the-proxy"


@contextmanager
def litellm(command: Path, upstream: str) -> Iterator[str]:
    """LiteLLM's proxy before `upstream` (an address that ends with /v1), without a database; gives its own address.

    `command`: its executable. Raises AssertionError when it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="modeltraces-bench-") as directory:
        config = Path(directory) / "config.yaml"
        config.write_text(_CONFIG.format(upstream=upstream))
        port = free_port()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LITELLM", "PYTHON"))},
            "LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*",
        }  # fmt: skip
        with (Path(directory) / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(command), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
                env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=directory,
            )  # fmt: skip
        try:
            _wait(f"http://127.0.0.1:{port}", process, Path(directory) / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(30)


def _wait(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health/liveliness", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError(log.read_text(errors="replace")[-2000:])
