"""`docs/settings.md` is the table in `settings.py`: `python -m tests.docs.test_settings` writes it."""

from pathlib import Path
from typing import Any

from modeltraces.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
HEAD = """# Settings

Each is an environment variable; those with an option can be given to `modeltraces serve` and `modeltraces demo`, too, and
the option wins. An empty variable is taken as not set. Where a secret is wanted (`MODELTRACES_ADMIN_PASSWORD`,
`MODELTRACES_SECRET_KEY`, and the addresses of store and catalog, which may bear a password), `…_FILE` names a file that
holds it. This page is made from `src/modeltraces/settings.py`.

| variable | default | what it is |
| --- | --- | --- |
"""


def shown(default: Any) -> str:
    if default in ("", None) or default == []:
        return "–"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def page() -> str:
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        rows.append(f"| `MODELTRACES_{name.upper()}` | {shown(default)} | {field.description} |")
    return HEAD + "\n".join(rows) + "\n"


def test_every_setting_is_documented_as_it_is() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.docs.test_settings"


if __name__ == "__main__":
    PAGE.write_text(page())
