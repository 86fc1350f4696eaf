"""Where an option's value comes from, and what is said of a bad one."""

from pathlib import Path

import pytest

from modeltraces.settings import DEMO_DATA_DIR, BadSettings, load_demo_settings, load_settings


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELTRACES_PORT", "1111")
    assert load_settings().port == 1111
    assert load_settings(port=2222).port == 2222
    assert load_settings(port=None).port == 1111


def test_the_demo_has_a_directory_of_its_own_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELTRACES_DATA_DIR", raising=False)
    settings = load_demo_settings(port=2222, data_dir=None)
    assert (settings.data_dir, settings.port) == (DEMO_DATA_DIR, 2222)
    assert settings.catalog_url == f"sqlite:///{DEMO_DATA_DIR.absolute()}/catalog.db"
    assert load_settings().data_dir != DEMO_DATA_DIR
    assert load_demo_settings(data_dir=Path("mine")).data_dir == Path("mine")
    monkeypatch.setenv("MODELTRACES_DATA_DIR", "theirs")
    assert load_demo_settings().data_dir == Path("theirs")


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As compose files write what is not set; an empty secret key would sign what anybody can sign."""
    for name in ("PORT", "SECRET_KEY", "STORE_URL", "REDACT_PATTERNS"):
        monkeypatch.setenv(f"MODELTRACES_{name}", "")
    settings = load_settings()
    assert (settings.port, settings.secret_key, settings.redact_patterns) == (8321, None, [])
    assert settings.store_url.startswith("chdb://")


@pytest.mark.parametrize("name", ["admin_password", "secret_key", "store_url", "catalog_url"])
def test_a_secret_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text(" with spaces, and long enough to be a key \r\n")
    monkeypatch.setenv(f"MODELTRACES_{name.upper()}_FILE", str(tmp_path / "secret"))
    value = getattr(load_settings(), name)
    assert (
        value if isinstance(value, str) else value.get_secret_value()
    ) == " with spaces, and long enough to be a key "
    monkeypatch.setenv(f"MODELTRACES_{name.upper()}", "given itself, and long enough to be a key")
    value = getattr(load_settings(), name)
    assert (
        value if isinstance(value, str) else value.get_secret_value()
    ) == "given itself, and long enough to be a key"


def test_a_bad_value_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELTRACES_QUEUE_MEGABYTES", "hunter2")
    monkeypatch.setenv("MODELTRACES_LOG_FORMAT", "hunter2")
    with pytest.raises(BadSettings) as refusal:
        load_settings()
    assert "MODELTRACES_QUEUE_MEGABYTES" in str(refusal.value)
    assert "MODELTRACES_LOG_FORMAT" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_payloads_are_not_kept_longer_than_their_runs() -> None:
    assert load_settings(keep_runs_days=0, keep_payloads_days=30).keep_payloads_days == 30
    with pytest.raises(BadSettings, match="KEEP_PAYLOADS_DAYS must not be more"):
        load_settings(keep_runs_days=5, keep_payloads_days=6)


def test_proxies_are_addresses_or_networks() -> None:
    assert load_settings(trusted_proxies="10.0.0.0/8, ::1").trusted_proxies == "10.0.0.0/8, ::1"
    for value in ("balancer", "10.0.0.0/99", "*"):
        with pytest.raises(BadSettings, match="TRUSTED_PROXIES must be an address"):
            load_settings(trusted_proxies=value)
