import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeltraces.catalog.addresses import LONGEST_ADDRESS, check_resolved, clean_address
from modeltraces.catalog.errors import Invalid

Answers = Callable[..., list[tuple[Any, ...]]]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        (" https://api.openai.com/v1/ ", "https://api.openai.com/v1"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://localhost:11434/", "http://localhost:11434"),
        ("HTTP://Models.Example.COM/v1", "HTTP://Models.Example.COM/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("http://10.0.0.7/v1", "http://10.0.0.7/v1"),
        ("http://vllm_1.internal:8000/v1", "http://vllm_1.internal:8000/v1"),
        ("https://mödel.example/v1", "https://mödel.example/v1"),
        ("https://x.example/v1/%41", "https://x.example/v1/%41"),
    ],
)
def test_an_http_address_is_kept_without_its_last_slash(typed: str, kept: str) -> None:
    assert clean_address(typed, "The address") == kept


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api.openai.com/v1",
        "ftp://x.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//x.example/v1",
        "http://",
        "http:///v1",
        "http://:80/",
        "http:x.example",
        "http://a b/",
        "http://x.example/a b",
        "http://x.example:99999/",
        "http://x.example:port/",
        "http://[::1",
        "http://[::1]x/",
        "http://[v1.x]/",
        "http://x.example\n/v1",
        "http://x.example/\0",
        "http://x\u2100.example/",
        "http://a\\b.example/",
        "http://169%2e254%2e169%2e254/",
        "http://%31%36%39.254.169.254/",
        "http://x.example/" + "a" * LONGEST_ADDRESS,
        "http://\ud800.example/",
        "http://./",
    ],
)
def test_what_is_no_http_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(Invalid, match=r"The address must be an http:// or https:// address such as https://models"):
        clean_address(address, "The address")


@pytest.mark.parametrize(
    "address", ["http://user:hush@x.example/v1", "http://hush@x.example", "http://:hush@x.example", "http://@x.example"]
)
def test_a_password_in_the_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(Invalid, match=r"must not hold a user name or password.*Use the credential") as raised:
        clean_address(address, "The address")
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    "address", ["https://x.example/v1?key=hush", "https://x.example/v1#f", "https://x.example?", "https://x.example/#"]
)
def test_a_query_is_refused_even_an_empty_one_as_paths_are_put_behind_the_address(address: str) -> None:
    with pytest.raises(Invalid, match="must end with its path"):
        clean_address(address, "The address")


METADATA = [
    "http://169.254.169.254",
    "http://169.254.169.254/latest/meta-data",
    "https://169.254.169.254:443/",
    "http://169.254.170.2/v2/credentials",
    "http://169.254.169.254./",
    "http://169.254.169.254../",
    "http://2852039166/",
    "http://2852039166./",
    "http://0xa9fea9fe/",
    "http://0XA9FEA9FE/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://025177524776/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::FFFF:A9FE:A9FE]/",
    "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "http://[::169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::a9fe:a9fe%eth0]/",
    "http://[fd00:ec2::254]/",
    "http://[FD00:0EC2:0:0:0:0:0:254]/",
    "http://[fd20:ce::254]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://metadata/",
    "http://metadata.google.internal/computeMetadata/v1",
    "http://METADATA.Google.Internal./",
    "http://metadata.goog/",
    "http://instance-data/latest",
    # Digits and dots that the client's IDNA turns into plain ones.
    "http://１６９.２５４.１６９.２５４/",
    "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/",
    "http://169。254。169。254/",
    "http://169｡254｡169｡254/",
    "http://ｍetadata/",
]


@pytest.mark.parametrize("address", METADATA)
def test_metadata_services_are_refused_in_every_spelling_unless_allowed(address: str) -> None:
    with pytest.raises(Invalid, match=r"metadata services.*MODELTRACES_ALLOW_LINK_LOCAL"):
        clean_address(address, "The address")
    assert clean_address(address, "The address", allow_link_local=True) == address.rstrip("/")


def test_a_metadata_address_with_a_user_name_is_refused_either_way() -> None:
    for address in ("http://x@169.254.169.254/", "http://good.example:80@169.254.169.254/"):
        for allow in (False, True):
            with pytest.raises(Invalid):
                clean_address(address, "The address", allow_link_local=allow)


def resolving_to(*found: str) -> Answers:
    def answer(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in found
        ]

    return answer


@pytest.mark.parametrize(
    "found",
    [
        ("169.254.169.254",),
        ("192.0.2.1", "169.254.169.254"),
        ("::ffff:169.254.169.254",),
        ("fe80::1%eth0",),
        ("fd00:ec2::254",),
        ("64:ff9b::a9fe:a9fe",),
    ],
)
def test_a_name_that_leads_to_a_metadata_service_is_refused_when_it_is_used(
    found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(*found))
    assert clean_address("https://innocent.example/v1", "The address") == "https://innocent.example/v1"
    with pytest.raises(Invalid, match="metadata services"):
        check_resolved("https://innocent.example/v1", "The address")
    check_resolved("https://innocent.example/v1", "The address", allow_link_local=True)


def test_a_name_that_leads_elsewhere_or_nowhere_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("192.0.2.1", "2001:db8::1"))
    check_resolved("https://innocent.example/v1", "The address")

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    check_resolved("https://innocent.example/v1", "The address")


def test_a_name_that_no_resolver_takes_is_let_through_to_the_call() -> None:
    check_resolved(f"https://{'a' * 64}.example/v1", "The address")


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/", "http://2852039166/", "http://METADATA.google.internal./"]
)
def test_an_address_stored_while_it_was_allowed_is_refused_when_used_once_it_is_not(address: str) -> None:
    with pytest.raises(Invalid, match="metadata services"):
        check_resolved(address, "The address")


@given(
    st.one_of(
        st.text(max_size=40), st.text(max_size=40).map("http://".__add__), st.from_regex(r"https?://[^/]{1,20}/.{0,5}")
    )
)
def test_whatever_is_typed_is_an_address_or_refused(address: str) -> None:
    try:
        kept = clean_address(address, "The address")
    except Invalid:
        return
    assert clean_address(kept, "The address") == kept


@given(st.integers(0, 0xFFFF))
def test_every_link_local_address_is_refused_in_every_way_to_write_it(low: int) -> None:
    number = 0xA9FE0000 | low
    parts = number.to_bytes(4, "big")
    for host in (
        str(number),
        hex(number),
        ".".join(map(str, parts)),
        ".".join(map(hex, parts)),
        ".".join(f"0{part:o}" for part in parts),
        f"[::ffff:{number >> 16:x}:{low:x}]",
    ):
        with pytest.raises(Invalid, match="metadata services"):
            clean_address(f"http://{host}/", "The address")
