"""Filter text → filter. Everything that is wrong is told, with its place; nothing is ignored."""

from functools import cache
from importlib.resources import files
from typing import Final

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from modeltraces.query.fields import (
    ANY_TEXT,
    ATTRIBUTES_PREFIX,
    Field,
    Operator,
    canonical_name,
    field_named,
    nearest_names,
)
from modeltraces.query.filters.nodes import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_TERMS,
    Filter,
    FilterError,
    Pattern,
    Span,
    Term,
    Value,
    all_of,
    any_of,
    depth_of,
    negated,
    terms_of,
)
from modeltraces.query.filters.values import EXPECTED, pattern_of, read_value

_SAID: Final = {
    "FIELD": "a field such as status:",
    "WORD": "a word",
    "QUOTED": "a quoted phrase",
    "VALUE": "a value",
    "AND": "AND",
    "OR": "OR",
    "NOT": "NOT",
    "MINUS": "-",
    "TO": "TO",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "$END": "the end",
}
_MEANT: Final = {"and": "AND", "or": "OR", "not": "NOT", "&&": "AND", "||": "OR", "&": "AND", "|": "OR"}
_OPENING: Final = {"(": ")", "[": "]"}


def parse(text: str) -> Filter | None:
    """The filter of a text, or None for an empty one. Raises FilterError."""
    if len(text) > MAX_CHARACTERS:
        raise FilterError(f"The filter is longer than {MAX_CHARACTERS} characters.", MAX_CHARACTERS)
    if not text.strip():
        return None
    try:
        filter: Filter = _parser().parse(text)  # type: ignore[assignment]  # the transformer's result
    except UnexpectedInput as error:
        raise _explained(text, error) from error
    if terms_of(filter) > MAX_TERMS:
        raise FilterError(f"The filter has more than {MAX_TERMS} terms.", 0)
    return filter


@cache
def _parser() -> Lark:
    grammar = files("modeltraces.query.filters").joinpath("grammar.lark").read_text()
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=_Reader(), maybe_placeholders=False)


_Valued = tuple[Pattern, int]


class _Reader(Transformer[Token, Filter]):
    """Builds the tree while it is parsed, so that no deep tree is ever walked."""

    def start(self, children: list[Filter]) -> Filter:
        return children[0]

    def disjunction(self, children: list[Filter | Token]) -> Filter:
        return _bounded(any_of(child for child in children if not isinstance(child, Token)))

    def conjunction(self, children: list[Filter | Token]) -> Filter:
        return _bounded(all_of(child for child in children if not isinstance(child, Token)))

    @v_args(inline=True)
    def negated(self, sign: Token, inner: Filter) -> Filter:
        return _bounded(negated(inner), _start(sign))

    @v_args(inline=True)
    def group(self, inner: Filter) -> Filter:
        return inner

    @v_args(inline=True)
    def value(self, token: Token) -> tuple[Token, Pattern]:
        return token, pattern_of(_unquoted(token))

    @v_args(inline=True)
    def one_value(self, field: Token, value: tuple[Token, Pattern]) -> Filter:
        name, operator, spec = _field(field)
        token, pattern = value
        if field.end_pos != token.start_pos and str(field).endswith(":"):
            raise FilterError(f"A value must follow {field} without a space.", _end(field), [_expected(spec)])
        if pattern.is_any and operator == "is":
            operator = "present"
            return _term(spec, name, operator, [], _start(token))
        return _term(spec, name, operator, [(pattern, _start(token))], _start(field))

    def listed(self, children: list[Token | tuple[Token, Pattern]]) -> Filter:
        field = children[0]
        assert isinstance(field, Token)
        name, operator, spec = _field(field)
        if operator != "is":
            raise FilterError(f"A list of values follows a colon: {name}:(a OR b).", _start(field), [f"{name}:"])
        values = [(child[1], _start(child[0])) for child in children if isinstance(child, tuple)]
        return _term(spec, name, operator, values, _start(field))

    @v_args(inline=True)
    def range(self, field: Token, low: tuple[Token, Pattern], to: Token, high: tuple[Token, Pattern]) -> Filter:
        name, operator, spec = _field(field)
        if operator != "is":
            raise FilterError(f"A range follows a colon: {name}:[a TO b].", _start(field), [f"{name}:"])
        values = [(low[1], _start(low[0])), (high[1], _start(high[0]))]
        return _term(spec, name, "range", values, _start(field))

    @v_args(inline=True)
    def bare(self, token: Token) -> Filter:
        text = str(token)
        if token.type == "WORD" and text in ("AND", "OR"):
            raise FilterError(
                f'{text} joins two terms; to look for the word, write "{text}".', _start(token), ["a term"]
            )
        if token.type == "WORD" and text in _MEANT:
            raise FilterError(
                f'Write {_MEANT[text]} to combine terms; to look for the word, write "{text}".',
                _start(token),
                [_MEANT[text], f'"{text}"'],
            )
        pattern = pattern_of(_unquoted(token))
        spec = _spec(ANY_TEXT, _start(token))
        return _term(spec, ANY_TEXT, "is", [(pattern, _start(token))], _start(token))


def _start(token: Token) -> int:
    return token.start_pos or 0


def _end(token: Token) -> int:
    return token.end_pos or 0


def _bounded(filter: Filter, position: int = 0) -> Filter:
    if depth_of(filter) > MAX_DEPTH:
        raise FilterError(f"The filter has groups in groups more than {MAX_DEPTH} deep.", position)
    return filter


def _unquoted(token: Token) -> str:
    return str(token)[1:-1] if token.type == "QUOTED" else str(token)


def _expected(spec: Field) -> str:
    return EXPECTED.get(spec.kind, "a value")


def _field(token: Token) -> tuple[str, Operator, Field]:
    """(canonical name, operator, field) of `name:`, `name>=` and so on."""
    text = str(token).rstrip()
    for sign in (":>=", ":<=", ":>", ":<", ">=", "<=", "!=", ":", "=", ">", "<"):
        if text.endswith(sign):
            break
    name = text[: -len(sign)].rstrip()
    key_start = name.find('"')
    if key_start >= 0:
        if name[:key_start] != ATTRIBUTES_PREFIX:
            raise FilterError(
                "A quoted phrase cannot follow a name directly.", _start(token) + key_start, ["an operator"]
            )
        name = ATTRIBUTES_PREFIX + "*".join(pattern_of(name[key_start + 1 : -1]).parts)
    spec = _spec(name, _start(token))
    if sign in ("=", "!="):
        meant = f"{name}:" if sign == "=" else f"-{name}:"
        raise FilterError(f"There is no operator {sign}; write {meant}value.", _start(token), [meant])
    operator: Operator = "is" if sign == ":" else sign.removeprefix(":")  # type: ignore[assignment]  # one of the loop's
    return canonical_name(name), operator, spec


def _spec(name: str, position: int) -> Field:
    spec = field_named(name)
    if spec is not None:
        return spec
    if name.rstrip(".") == "attributes":
        raise FilterError("An attribute needs its key: attributes.KEY.", position, ["attributes.KEY"])
    near = nearest_names(name)
    hint = f" Did you mean {' or '.join(near)}?" if near else ' To look for it as text, put it in "quotes".'
    raise FilterError(f"There is no field {name!r}.{hint}", position, near or ["a known field"])


def _term(spec: Field, name: str, operator: Operator, values: list[_Valued], position: int) -> Term:
    if operator not in spec.operators:
        allowed = [":" if known == "is" else known for known in spec.operators if known not in ("range", "present")]
        what = "cannot be asked for presence" if operator == "present" else f"takes no {operator}"
        raise FilterError(f"{name} {what}.", position, [f"{name}{sign}" for sign in allowed])
    read = [_value(spec, name, operator, pattern, at) for pattern, at in values]
    if operator == "range":
        _check_range(name, read, position)
    return Term(name, operator, tuple(read))


def _value(spec: Field, name: str, operator: Operator, pattern: Pattern, position: int) -> Value | None:
    if pattern.is_any:
        if operator == "range":
            return None
        raise FilterError(f"A * alone cannot stand here; {name}:* asks for its presence.", position, [_expected(spec)])
    if pattern.parts == ("",):
        raise FilterError(f"The value of {name} is empty; -{name}:* asks for its absence.", position, [_expected(spec)])
    try:
        return read_value(spec, pattern)
    except ValueError as error:
        raise FilterError(f"{name} {error}.", position, [_expected(spec)]) from error


def _check_range(name: str, values: list[Value | None], position: int) -> None:
    low, high = values
    if low is None and high is None:
        raise FilterError(f"A range needs one end at least; {name}:* asks for its presence.", position)
    if low is not None and high is not None and _rank(low) > _rank(high):
        raise FilterError(f"The range of {name} ends before it begins.", position)


def _rank(value: Value) -> float:
    if isinstance(value, Span):
        return value.start_us
    assert isinstance(value, int | float)
    return value


def _explained(text: str, error: UnexpectedInput) -> FilterError:
    if isinstance(error, UnexpectedToken):
        found, names = error.token, error.expected
        at_end = found.type == "$END"
        position = len(text) if at_end else _start(found)
    elif isinstance(error, UnexpectedCharacters):
        position = error.pos_in_stream  # type: ignore[assignment]  # lark's own type says None
        names, at_end = error.allowed, False
    else:
        assert isinstance(error, UnexpectedEOF)
        position, names, at_end = len(text), set(error.expected), True
    expected = sorted(_SAID[name] for name in names if name in _SAID)
    if at_end:
        before = text.rstrip()
        if "RPAR" in names or "RSQB" in names:
            opened = _last_open(text)
            message = f"The {text[opened]} is not closed." if opened is not None else "A bracket is not closed."
            return FilterError(message, opened if opened is not None else position, expected)
        if before.endswith(":"):
            return FilterError(f"A value must follow {before.split()[-1]}", position, expected)
        return FilterError("The filter ends too early.", position, expected)
    found_text = text[position]
    if found_text == '"':
        return FilterError("The quote is not closed.", position, ['"'])
    if found_text == ")":
        opens = _last_open(text[:position]) is not None
        message = "Something is missing before )." if opens else "There is a ) that closes nothing."
        return FilterError(message, position, expected)
    return FilterError(
        f'{found_text!r} cannot stand here; to look for it as text, put it in "quotes".', position, expected
    )


def _last_open(text: str) -> int | None:
    """The offset of the innermost bracket that is open at the end, quotes and escapes left out."""
    stack: list[int] = []
    in_quotes = escaped = False
    for offset, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            in_quotes = not in_quotes
        elif in_quotes:
            continue
        elif character in _OPENING:
            stack.append(offset)
        elif character in _OPENING.values() and stack:
            stack.pop()
    return stack[-1] if stack else None
