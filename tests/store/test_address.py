"""The address of a store: what it may say, and that no message shows its password."""

from pathlib import Path

import pytest

from modeltraces.store.address import Embedded, Remote, parse_address, shown
from modeltraces.store.engine import StoreUnavailable, open_store


def test_an_address_says_where_and_as_whom() -> None:
    assert parse_address("chdb:///var/lib/runs") == Embedded(Path("/var/lib/runs"))
    plain = parse_address("clickhouse://me:p%40ss%2Fword@store.example:9999/traces")
    assert plain == Remote("store.example", 9999, "me", "p@ss/word", "traces", False, True, "")
    assert "word" not in repr(plain)
    assert parse_address("http://store.example") == Remote(
        "store.example", 8123, "default", "", "default", False, True, ""
    )
    for secure in (
        "clickhouses://h/d?verify=false&ca_cert=/x.pem",
        "https://h/d?verify=0&ca_cert=/x.pem",
        "clickhouse://h/d?secure=true&verify=false&ca_cert=/x.pem",
    ):
        assert parse_address(secure) == Remote("h", 8443, "default", "", "d", True, False, "/x.pem")
    assert parse_address("clickhouse://[::1]:8123/d") == Remote("::1", 8123, "default", "", "d", False, True, "")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://u:hunter2@h/d", "chdb:// or clickhouse://"),
        ("u:hunter2@h/d", "chdb:// or clickhouse://"),
        ("clickhouse://u:hunter2@/d", "cannot be read"),
        ("clickhouse://u:hunter2#x@h/d", "%23"),
        ("clickhouse://u:hunter2/x@h/d", "%2F"),
        ("clickhouse://u:hunter2?x@h/d", "cannot be read"),
        ("clickhouse://u:p@h:hunter2/d", "cannot be read"),
        ("clickhouse://u:p@h/d?password=hunter2", "takes no parameters but secure, verify, ca_cert"),
        ("clickhouse://u:p@h/d?secure=hunter2", "must be true or false"),
    ],
)
def test_one_that_cannot_be_used_is_said_without_its_password(url: str, says: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        open_store(url)
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", ["chdb://runs", "chdb:runs", "chdb://./runs", "chdb://", "chdb:"])
def test_an_embedded_store_has_a_whole_path(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would lie in whatever directory the program was started in."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreUnavailable, match=r"chdb:///\S+/runs"):
        open_store(url)
    assert list(tmp_path.iterdir()) == []


def test_it_is_shown_without_user_password_and_parameters() -> None:
    assert shown("clickhouse://u:hunter2@h:1/d?secure=true") == "clickhouse://h:1/d"
    assert shown("clickhouse://u:p@hunter2@h:1/d") == "clickhouse://h:1/d"
