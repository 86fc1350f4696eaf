"""Events come out whole, however the network cut them."""

from hypothesis import given
from hypothesis import strategies as st

from modeltraces.gateway.sse import Splitter, data_of

_events = st.lists(
    st.tuples(
        st.sampled_from(["", "message_start", "error"]),
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1),
    ),
    max_size=6,
)


@given(_events, st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_any_cut_gives_the_same_events(events: list[tuple[str, str]], end: str, data: st.DataObject) -> None:
    written = "".join(
        f"{f'event: {name}{end}' if name else ''}data: {text}{end}{end}" for name, text in events
    ).encode()
    splitter, got = Splitter(), []
    rest = written
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        got += splitter.feed(rest[:size])
        rest = rest[size:]
    assert b"".join(got) + splitter.rest == written
    if end != "\r":
        assert splitter.rest == b""
        assert [data_of(event) for event in got] == [(name, text.encode()) for name, text in events]


def test_the_lines_of_one_event_are_joined() -> None:
    assert data_of(b": comment\nevent: x\ndata: a\ndata:b\nid: 7\n\n") == ("x", b"a\nb")
