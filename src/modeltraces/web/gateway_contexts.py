"""The context of Settings → Gateway."""

from dataclasses import dataclass

from modeltraces.web.contexts import Empty, ModelGroup, Option, Shell


@dataclass(frozen=True, slots=True)
class SnippetTab:
    key: str
    label: str
    code: str
    href: str
    """The page with this tab open."""
    current: bool


@dataclass(frozen=True, slots=True)
class TryBox:
    """What a call from the page is made with."""

    model: str
    key_id: str
    family: str
    key_name: str
    note: str
    """What does not happen with this key that usually does; '' for nothing."""


@dataclass(frozen=True, slots=True)
class GatewayPage:
    shell: Shell
    address: str
    model: str
    models: tuple[ModelGroup, ...]
    keys: tuple[Option, ...]
    key_id: str
    key_name: str
    """Of the chosen key; '' when there is none."""
    tabs: tuple[SnippetTab, ...]
    families: tuple[Option, ...]
    """The APIs that reach the model: label, and the base address as `value`."""
    trouble: str
    """Why the model cannot be called, or not with this key; '' when it can."""
    empty: Empty | None
    """There is no model to call."""
    asks_name: bool
    """A connection reaches every model: one can be named that the catalog does not know yet."""
    create_href: str
    """Where a key is made; '' for who may not."""
    new_key: str
    new_key_name: str
    variable: str
    """Of the environment, that the snippets read the key from."""
    may_try: bool
    box: TryBox | None
