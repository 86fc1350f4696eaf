"""Where a narrow place may break a name or an address."""

import pytest

from modeltraces.web.templating import breakable


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("organisation.department_team/model@v2", ["organisation.", "department_", "team/", "model@", "v2"]),
        ("http://10.255.255.1:81/v1", ["http://", "10.255.255.1:81/", "v1"]),
        ("gpt-4.1.turbo", ["gpt-4.1.", "turbo"]),
        ("A sentence. Its end.", ["A sentence. Its end."]),
        ("<b>.&", ["&lt;b&gt;.", "&amp;"]),
        ("", [""]),
    ],
)
def test_a_name_is_broken_between_its_parts_and_a_number_not_at_all(text: str, parts: list[str]) -> None:
    assert breakable(text).split("<wbr>") == parts
