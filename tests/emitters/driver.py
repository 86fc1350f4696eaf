"""Runs an emitter script as a process and plays scenarios through it, one at a time."""

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
from types import TracebackType
from typing import Any, NoReturn

from tests.emitters.catalog import Emitter
from tests.emitters.environments import SCRIPTS, command_of

SCENARIO_SECONDS = 60
QUIET = {
    # None of these may phone home: the tests only ever talk to loopback addresses.
    "TRACELOOP_TELEMETRY": "false",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "DO_NOT_TRACK": "1",
    "AI_SDK_LOG_WARNINGS": "false",
    "NO_PROXY": "127.0.0.1,localhost",
}


class EmitterFailedError(AssertionError):
    """The script ended, or did not answer in time. Says what it printed."""


class Driver:
    """`with Driver(emitter, …) as driver: driver.play("success")`. After `play` returns, all telemetry was sent.

    `key`: an API key of the server that receives it. `secrets` of Langfuse's SDK are made of it too.
    """

    def __init__(self, emitter: Emitter, *, provider_url: str, otlp_url: str, key: str = "none") -> None:
        self.emitter = emitter
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ},
            **QUIET,
            "PROVIDER_URL": provider_url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_url,
            # Not Authorization: its space would have to be encoded, which not every SDK decodes.
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={key}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": emitter.service_name,
            "LANGFUSE_PUBLIC_KEY": "pk-lf-any",
            "LANGFUSE_SECRET_KEY": key,
            "LANGFUSE_HOST": otlp_url,
            **emitter.settings,
        }
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        # A file, not a pipe: a pipe that nobody reads would stop a talkative script.
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed at the end of the process)
        self._process = subprocess.Popen(
            command_of(emitter.runs_in, emitter.script),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
            cwd=SCRIPTS,
            text=True,
            bufsize=1,
        )
        self._reader = threading.Thread(target=self._read, name=f"stdout of {emitter.name}", daemon=True)
        self._reader.start()
        hello = json.loads(self._answer("{"))
        self.scenarios: list[str] = hello["scenarios"]
        self.versions: dict[str, Any] = hello["versions"]

    def play(self, scenario: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(scenario + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail(f"had ended before scenario {scenario}")
        self._answer(f"done {scenario}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _answer(self, start: str) -> str:
        """The next line of stdout that starts so; other lines are the libraries' chatter."""
        while True:
            try:
                line = self._lines.get(timeout=SCENARIO_SECONDS)
            except queue.Empty:
                self._fail(f"said nothing for {SCENARIO_SECONDS} s while {start!r} was awaited")
            if not line:
                self._fail(f"ended while {start!r} was awaited")
            if line.startswith(start):
                return line

    def _fail(self, what: str) -> NoReturn:
        self._process.kill()
        raise EmitterFailedError(f"{self.emitter.name} {what}. It printed:\n{self._end()[-4000:]}")

    def _end(self) -> str:
        """Wait for the process's end and free its pipes; gives what it printed on stderr."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(SCENARIO_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()
        if self._stderr.closed:
            return ""
        self._stderr.seek(0)
        printed = self._stderr.read()
        self._stderr.close()
        return printed

    def __enter__(self) -> "Driver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
