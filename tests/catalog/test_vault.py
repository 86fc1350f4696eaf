import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog.errors import Invalid
from modeltraces.catalog.vault import LONGEST_CREDENTIAL, Vault

KEY = "sk-proj-Zq81hTz7Wm5XbN2Lc9Rv"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200), st.binary(min_size=1))
def test_a_credential_comes_back_as_it_was_and_does_not_show_locked(credential: str, secret: bytes) -> None:
    locked = Vault(secret).lock(credential)
    assert Vault(secret).unlock(locked) == credential
    assert len(credential) < 8 or credential not in locked


def test_the_same_credential_looks_different_every_time() -> None:
    vault = Vault(b"s")
    assert vault.lock(KEY) != vault.lock(KEY)


def test_spaces_around_a_pasted_credential_are_dropped() -> None:
    assert Vault(b"s").unlock(Vault(b"s").lock(f"  {KEY}\n")) == KEY


def test_another_secret_key_cannot_read_it_and_the_error_says_what_to_do() -> None:
    locked = Vault(b"one").lock(KEY)
    with pytest.raises(Invalid, match=r"another secret key.*Enter it again.*MODELTRACES_SECRET_KEY") as raised:
        Vault(b"two").unlock(locked)
    assert KEY not in str(raised.value)
    assert locked not in str(raised.value)


@pytest.mark.parametrize("locked", ["", "x", "gAAAAA", "schlüssel", "\0"])
def test_what_is_no_locked_credential_is_refused_likewise(locked: str) -> None:
    with pytest.raises(Invalid, match="Enter it again"):
        Vault(b"one").unlock(locked)


def test_a_changed_byte_is_noticed() -> None:
    locked = Vault(b"one").lock(KEY)
    changed = locked[:40] + ("A" if locked[40] != "A" else "B") + locked[41:]
    with pytest.raises(Invalid, match="Enter it again"):
        Vault(b"one").unlock(changed)


@pytest.mark.parametrize(
    "credential", ["", "  ", "a\nb", "a\r\nx-evil: 1", "schlüssel", "a\0", "x" * (LONGEST_CREDENTIAL + 1)]
)
def test_what_no_header_can_carry_is_refused_without_being_repeated(credential: str) -> None:
    with pytest.raises(Invalid, match="printable ASCII") as raised:
        Vault(b"s").lock(credential)
    assert len(credential) < 5 or credential not in str(raised.value)


def test_the_longest_credential_is_kept() -> None:
    longest = "x" * LONGEST_CREDENTIAL
    assert Vault(b"s").unlock(Vault(b"s").lock(longest)) == longest


def test_the_vault_does_not_show_its_secret() -> None:
    assert "hush" not in repr(Vault(b"hush"))
    assert "hush" not in str(Vault(b"hush"))
