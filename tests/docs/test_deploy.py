"""What stands in deploy/ speaks of settings, routes, ports and files that there are."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from modeltraces.api import health
from modeltraces.settings import Settings
from scripts.build_frontend import Frontend

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = {f"MODELTRACES_{name.upper()}" for name in Settings.model_fields}
PORTS = {Settings.model_fields[name].default for name in ("port", "otlp_grpc_port")}
SHARED = {"MODELTRACES_STORE_URL", "MODELTRACES_CATALOG_URL", "MODELTRACES_SECRET_KEY"}
"""What must be one for all processes."""


def manifests() -> list[dict[str, Any]]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def application() -> dict[str, Any]:
    [found] = [m for m in manifests() if m["kind"] == "StatefulSet" and m["metadata"]["name"] == "modeltraces"]
    return dict(found["spec"])


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text()))


def names(file: Path) -> set[str]:
    return {line.partition("=")[0] for line in file.read_text().splitlines() if line and not line.startswith("#")}


def instructions() -> Iterator[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield tuple(line.split(maxsplit=1))  # type: ignore[misc]


def test_every_setting_that_is_named_exists() -> None:
    named = {file: set(re.findall(r"MODELTRACES_[A-Z_]+", file.read_text())) for file in DEPLOY.rglob("*.*")}
    named[DEPLOY / "Dockerfile"] = set(re.findall(r"MODELTRACES_[A-Z_]+", (DEPLOY / "Dockerfile").read_text()))
    assert any(named.values())
    assert {file.name: rest for file, found in named.items() if (rest := found - SETTINGS)} == {}


def test_the_processes_share_databases_and_secret_key() -> None:
    assert compose()["x-app"]["environment"].keys() >= SHARED
    assert names(DEPLOY / "kubernetes" / "secrets.example.env") >= SHARED


def test_compose_is_told_all_that_it_asks_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text()))
    assert asked == names(DEPLOY / "example.env")
    services = compose()["services"]
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose()["volumes"] or (DEPLOY / source).is_file(), source
        waits = service.get("depends_on", {})
        assert set(waits) <= services.keys()
        assert all("healthcheck" in services[name] for name in waits if isinstance(waits, dict))


def test_the_ports_are_those_that_the_server_listens_on() -> None:
    container = application()["template"]["spec"]["containers"][0]
    assert {port["containerPort"] for port in container["ports"]} == PORTS
    assert {int(port) for name, rest in instructions() if name == "EXPOSE" for port in rest.split()} == PORTS
    balanced = (DEPLOY / "nginx.conf").read_text()
    assert {int(port) for port in re.findall(r"listen (\d+);", balanced)} == PORTS
    assert {int(port) for port in re.findall(r"server app-\d:(\d+);", balanced)} == PORTS


def test_what_is_probed_exists() -> None:
    container = application()["template"]["spec"]["containers"][0]
    probed = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    probed |= set(re.findall(r"http://127\.0\.0\.1:8321(/\w+)", dockerfile))
    assert probed <= {getattr(route, "path", "") for route in health.router.routes}


def test_no_process_is_root_or_told_a_port_by_its_services_address() -> None:
    pod = application()["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["enableServiceLinks"] is False, "a service named modeltraces would set MODELTRACES_PORT"
    assert [rest for name, rest in instructions() if name == "USER"] == [str(pod["securityContext"]["runAsUser"])]


def test_the_journal_outlives_its_process() -> None:
    data = dict(rest.split("=", 1) for name, rest in _environment())["MODELTRACES_DATA_DIR"]
    claimed = {claim["metadata"]["name"] for claim in application()["volumeClaimTemplates"]}
    mounts = application()["template"]["spec"]["containers"][0]["volumeMounts"]
    assert next(mount["name"] for mount in mounts if mount["mountPath"] == data) in claimed
    for name in ("app-1", "app-2"):
        assert compose()["services"][name]["volumes"] == [f"{name}:{data}"]


def _environment() -> Iterator[tuple[str, str]]:
    for name, rest in instructions():
        if name == "ENV":
            for pair in rest.split():
                yield name, pair


def test_the_image_is_built_from_files_that_it_is_given() -> None:
    given = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert [name for name in given if not (ROOT / name).exists()] == []
    locks = set(re.findall(r"requirements/\w+\.lock", (DEPLOY / "Dockerfile").read_text()))
    assert locks
    assert [lock for lock in locks if not (ROOT / lock).is_file()] == []


def test_the_image_is_given_all_that_the_front_end_is_built_from(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    read: list[Path] = []
    whole = Path.read_bytes

    def noting(path: Path) -> bytes:
        read.append(path)
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", noting)
    Frontend(ROOT).inputs_hash()
    names = [path.relative_to(ROOT).as_posix() for path in read]
    assert "package.json" in names
    assert [name for name in names if not any(name == g or name.startswith(f"{g}/") for g in given)] == []
