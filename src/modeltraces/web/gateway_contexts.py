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
class Advice:
    """A sentence, and the names that may have been meant, each a link."""

    says: str
    meant: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class TryBox:
    """What a call from the page is made with."""

    model: str
    key_id: str
    family: str
    task: str
    """`chat` or `embeddings`."""
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
    trouble: Advice | None
    """Why the model cannot be called, or not with this key."""
    advice: Advice | None
    """That it can be called, but may not be what was meant."""
    other_task: str
    """What the model is called for, when that is something of which there are no examples; '' when there are."""
    empty: Empty | None
    """There is no model to call."""
    reach_every: tuple[str, ...]
    """The connections that reach every model: by them one can be named that the catalog does not know yet."""
    create_href: str
    """Where a key is made; '' for who may not."""
    new_key: str
    new_key_name: str
    variable: str
    """Of the environment, that the snippets read the key from."""
    may_try: bool
    box: TryBox | None
