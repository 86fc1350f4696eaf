"""The filter language: text ↔ tree → SQL, a sentence, JSON for the page's builder."""

from modeltraces.query.filters.nodes import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_TERMS,
    And,
    Filter,
    FilterError,
    Not,
    Or,
    Pattern,
    Span,
    Term,
    all_of,
    any_of,
    negated,
)
from modeltraces.query.filters.parse import parse
from modeltraces.query.filters.sql import Bound, FilterContext, compile, contains
from modeltraces.query.filters.text import to_text
from modeltraces.query.filters.words import sentence

__all__ = [
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "MAX_TERMS",
    "And",
    "Bound",
    "Filter",
    "FilterContext",
    "FilterError",
    "Not",
    "Or",
    "Pattern",
    "Span",
    "Term",
    "all_of",
    "any_of",
    "compile",
    "contains",
    "negated",
    "parse",
    "sentence",
    "to_text",
]
