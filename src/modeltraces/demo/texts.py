"""Exchanges with models, composed from the pools of `phrases` and `languages`: what was asked and what came back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

import orjson

from modeltraces.demo import phrases
from modeltraces.demo.languages import ENGLISH, LANGUAGES, NAMES, Language


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: str
    """JSON text, as the OpenAI API gives it."""


@dataclass(slots=True)
class Exchange:
    """One request's messages and the model's answer, before any provider's form."""

    system: str
    messages: list[tuple[str, str]]
    """(role, text), `user` and `assistant` in turn; for embeddings, the texts to embed."""
    output: str
    tool_calls: list[ToolCall] = field(default_factory=list)
    json_output: bool = False


Compose: TypeAlias = Callable[[Random], Exchange]

_WEIGHTS: Final = [language.weight for language in LANGUAGES]
_TRANSLATED: Final = tuple(NAMES)
_SUPPORT_PROMPT: Final = (
    "You are the support assistant of Bright & Early, a shop for everyday electronics. "
    "Answer in the customer's language."
)
_HISTORY_LENGTHS: Final = (0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 5, 9)
_PASSAGES: Final = (2, 3, 3, 4, 4, 5, 6, 8, 12)


def _slots(rng: Random) -> dict[str, str]:
    return {
        "order": f"B-{rng.randrange(10_000, 99_999)}-{rng.choice('ABCDEFGHJK')}",
        "product": rng.choice(phrases.PRODUCTS),
        "city": rng.choice(phrases.CITIES),
        "days": str(rng.randrange(2, 21)),
    }


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _joined(*parts: str) -> str:
    return " ".join([part for part in parts if part])


def _problem(rng: Random, language: Language, slots: dict[str, str]) -> tuple[str, str]:
    """(topic, what a customer writes)."""
    choice = rng.choice
    topic, problem = choice(language.problems)
    return topic, _joined(choice(language.openings), problem, choice(language.wishes)).format_map(slots)


def _reply(rng: Random, language: Language, slots: dict[str, str], topic: str) -> str:
    choice = rng.choice
    fitting = [step for step_topic, step in language.steps if step_topic == topic]
    steps = rng.sample(fitting, rng.randrange(1, len(fitting) + 1)) if fitting else []
    return _joined(choice(language.replies), *steps, choice(language.closings)).format_map(slots)


def support(rng: Random) -> Exchange:
    """A customer's conversation, one to ten turns long, in one of the languages."""
    language = rng.choices(LANGUAGES, _WEIGHTS)[0]
    slots = _slots(rng)
    messages: list[tuple[str, str]] = []
    for _ in range(rng.choice(_HISTORY_LENGTHS)):
        topic, question = _problem(rng, language, slots)
        messages += [("user", question), ("assistant", _reply(rng, language, slots, topic))]
    topic, question = _problem(rng, language, slots)
    messages.append(("user", question))
    return Exchange(_SUPPORT_PROMPT, messages, _reply(rng, language, slots, topic))


def small_talk(rng: Random) -> Exchange:
    slots = _slots(rng)
    question, answer = rng.choice(phrases.SMALL_TALK)
    return Exchange("", [("user", question.format_map(slots))], answer.format_map(slots))


def answer_to(rng: Random, prompt: str) -> str:
    """What the support assistant says, in English, to whatever it was asked."""
    slots = _slots(rng)
    said = prompt.strip().lower()
    for question, answer in phrases.SMALL_TALK:
        if said == question.format_map(slots):
            return answer.format_map(slots)
    if "hello" in said:
        return answer_to(rng, "hi")
    topic, _ = _problem(rng, ENGLISH, slots)
    return _reply(rng, ENGLISH, slots, topic)


def order_tools(rng: Random) -> Exchange:
    """A step of an agent: it calls a tool, or answers after a tool's result."""
    language = rng.choices(LANGUAGES, _WEIGHTS)[0]
    slots = _slots(rng)
    topic, question = _problem(rng, language, slots)
    system = "You help customers with their orders. Use the tools; never guess an order's state."
    name, arguments = rng.choice(
        (
            ("get_order", {"order_id": slots["order"]}),
            ("track_parcel", {"order_id": slots["order"], "carrier": rng.choice(("DHL", "GLS", "Correos", "Yamato"))}),
            (
                "create_refund",
                {"order_id": slots["order"], "amount": rng.randrange(900, 40_000) / 100, "currency": "EUR"},
            ),
            ("escalate", {"queue": "tier-2", "reason": "customer asked for a human"}),
        )
    )
    call = ToolCall(name, _json(arguments))
    if rng.random() < 0.5:
        return Exchange(system, [("user", question)], "", [call])
    result = _json(
        {
            "order_id": slots["order"],
            "state": rng.choice(("shipped", "delivered", "lost", "returned")),
            "city": slots["city"],
        }
    )
    messages = [("user", question), ("assistant", f"{name}({call.arguments})"), ("user", f"Result of {name}: {result}")]
    return Exchange(system, messages, _reply(rng, language, slots, topic))


_CATEGORIES: Final = ("delivery", "billing", "defect", "account", "return", "other")


def triage(rng: Random) -> Exchange:
    """A ticket in, a small JSON classification out."""
    language = rng.choices(LANGUAGES, _WEIGHTS)[0]
    topic, text = _problem(rng, language, _slots(rng))
    result = {
        # A small model is wrong now and then.
        "category": topic if rng.random() < 0.93 else rng.choice(_CATEGORIES),
        "urgency": rng.choice(("low", "normal", "high")),
        "language": language.code,
        "refund_requested": rng.random() < 0.3,
        "confidence": round(rng.uniform(0.55, 0.999), 3),
    }
    system = "Classify the ticket. Answer with JSON: category, urgency, language, refund_requested, confidence."
    return Exchange(system, [("user", text)], _json(result), json_output=True)


def invoice(rng: Random) -> Exchange:
    """The text of a scanned invoice in, its fields as JSON out."""
    number = f"INV-2026-{rng.randrange(10_000, 99_999)}"
    supplier, customer = rng.sample(phrases.COMPANIES, 2)
    day = f"2026-{rng.randrange(1, 12):02d}-{rng.randrange(1, 29):02d}"
    lines, total = [], 0
    for item in rng.sample(phrases.ITEMS, rng.choice((1, 2, 2, 3, 4, 8))):
        quantity, price = rng.randrange(1, 40), rng.randrange(500, 90_000)
        total += quantity * price
        lines.append({"description": item, "quantity": quantity, "unit_price": price / 100})
    printed = "\n".join(
        [f"{line['description']:<32}{line['quantity']:>5} x {line['unit_price']:>10.2f}" for line in lines]
    )
    text = (
        f"{supplier}\nInvoice {number}    Date {day}\nBill to: {customer}\n\n{printed}\n\n"
        f"TOTAL EUR {total / 100:,.2f}\nPayable within 30 days."
    )
    fields = {
        "invoice_number": number,
        "date": day,
        "supplier": supplier,
        "customer": customer,
        "lines": lines,
        "total": total / 100,
        "currency": "EUR",
    }
    system = "Extract the invoice's fields as JSON. Use null for what is not printed."
    return Exchange(system, [("user", text)], _json(fields), json_output=True)


def code(rng: Random) -> Exchange:
    slots = {"function": rng.choice(phrases.FUNCTIONS), "number": str(rng.randrange(2, 64))}
    body = rng.choice(phrases.CODE_BODIES).format_map(slots)
    ask = rng.choice(phrases.CODE_ASKS).format_map({**slots, "code": f"```python\n{body}```"})
    before, after = rng.sample(phrases.CODE_REMARKS, 2)
    answer = f"{before}\n\n```python\n{rng.choice(phrases.CODE_BODIES).format_map(slots)}```\n{after}"
    return Exchange("You are a senior engineer. Be brief.", [("user", ask)], answer)


def sql(rng: Random) -> Exchange:
    slots: dict[str, object] = {**_slots(rng), "table": rng.choice(phrases.TABLES), "day": rng.randrange(1, 25)}
    ask, answer = rng.choice(phrases.SQL_PAIRS)
    schema = "Tables: " + ", ".join(phrases.TABLES) + ". Dialect: PostgreSQL 17. Answer with SQL only."
    return Exchange(schema, [("user", ask.format_map(slots))], answer.format_map(slots))


def translation(rng: Random) -> Exchange:
    source, target = rng.sample(_TRANSLATED, 2)
    slots = {"days": str(rng.randrange(4, 40))}
    picks = [rng.randrange(4) for _ in range(rng.choice((1, 1, 2, 3, 6)))]
    original = "\n".join([phrases.TRANSLATION_SENTENCES[source][pick] for pick in picks]).format_map(slots)
    translated = "\n".join([phrases.TRANSLATION_SENTENCES[target][pick] for pick in picks]).format_map(slots)
    return Exchange(
        f"Translate from {NAMES[source]} to {NAMES[target]}. Keep line breaks.", [("user", original)], translated
    )


def _passage(rng: Random, number: int, sentence: str = "") -> tuple[str, str]:
    """(title, a passage of that policy, which holds the sentence)."""
    title = rng.choice(phrases.POLICY_TITLES)
    sentences = rng.sample(phrases.POLICY_SENTENCES, rng.randrange(3, 9))
    if sentence and sentence not in sentences:
        sentences[rng.randrange(len(sentences))] = sentence
    return title, f"[{number}] {title}\n" + " ".join(sentences)


def rag(rng: Random) -> Exchange:
    """A question with the passages that a retriever found: the input is long, the answer short."""
    slots = {"city": rng.choice(phrases.CITIES), "amount": str(rng.randrange(100, 20_000))}
    question, answering = rng.choice(phrases.POLICY_QUESTIONS)
    sentence = phrases.POLICY_SENTENCES[answering]
    count = rng.choice(_PASSAGES)
    which = rng.randrange(count)
    passages = [_passage(rng, number + 1, sentence if number == which else "") for number in range(count)]
    prompt = "\n\n".join([text for _, text in passages]) + f"\n\nQuestion: {question.format_map(slots)}"
    title = passages[which][0]
    answer = rng.choice(phrases.POLICY_ANSWERS).format_map({**slots, "title": title, "sentence": sentence})
    return Exchange("Answer from the passages only, and name the one you used.", [("user", prompt)], answer)


def transcript(rng: Random, characters: int) -> str:
    """A meeting's transcript of about that many characters."""
    lines, length, minute = [], 0, 0
    while length < characters:
        minute += rng.randrange(3)
        spoken = " ".join(rng.sample(phrases.MEETING_SENTENCES, rng.randrange(1, 5)))
        line = f"[{minute // 60:02d}:{minute % 60:02d}] {rng.choice(phrases.MEETING_SPEAKERS)}: {spoken}"
        lines.append(line)
        length += len(line) + 1
    return "\n".join(lines)


def meeting(rng: Random) -> Exchange:
    """A transcript of 1 to 200 KB, with a long tail, and its summary."""
    characters = min(200_000, int(rng.lognormvariate(8.3, 1.0)))
    points = rng.sample(phrases.MEETING_SENTENCES, rng.randrange(3, 9))
    summary = f"{rng.choice(phrases.SUMMARY_LEADS)}\n" + "\n".join([f"- {point}" for point in points])
    return Exchange(
        "Summarise the meeting as a list. Name decisions and owners.", [("user", transcript(rng, characters))], summary
    )


def dossier(rng: Random) -> Exchange:
    """The longest inputs: 50 to 200 KB of transcripts in one request."""
    text = transcript(rng, rng.randrange(50_000, 200_000))
    owner = rng.choice(phrases.MEETING_SPEAKERS)
    answer = (
        f"{owner} owns {rng.randrange(2, 9)} open points. The most pressing: {rng.choice(phrases.MEETING_SENTENCES)}"
    )
    return Exchange("You read long records.", [("user", f"Which open points does {owner} own?\n\n{text}")], answer)


def embedding(rng: Random) -> Exchange:
    """One to sixteen short texts to embed."""
    texts = [("user", _passage(rng, number)[1]) for number in range(1, rng.choice((1, 1, 1, 2, 4, 16)) + 1)]
    return Exchange("", texts, "")


def search_query(rng: Random) -> Exchange:
    slots = {"city": rng.choice(phrases.CITIES), "amount": str(rng.randrange(100, 20_000))}
    question, _ = rng.choice(phrases.POLICY_QUESTIONS)
    return Exchange("", [("user", question.format_map(slots))], "")
