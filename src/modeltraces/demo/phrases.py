"""Word pools that the demo's exchanges are composed of, in English. Written for this demo."""

PRODUCTS = (
    "Lumen desk lamp", "Aria headphones", "Kestrel bike light", "Pebble speaker", "Nimbus air purifier", "Orbit vacuum",
    "Tundra cool box", "Vela e-reader", "Strata backpack", "Quill tablet pen",
)  # fmt: skip
CITIES = (
    "Lisbon",
    "Hamburg",
    "Haifa",
    "Pune",
    "Osaka",
    "Busan",
    "Lyon",
    "Leeds",
    "Gdańsk",
    "Valencia",
    "Austin",
    "Tromsø",
)
COMPANIES = (
    "Nordlicht Logistik GmbH", "Casa Verde Alimentos S.L.", "Harbour & Finch Ltd", "Kobayashi Seiki K.K.", "Atlas Freight Inc.",
    "Bluebird Dental Supplies", "Ofek Energy Ltd", "Meridian Print Works", "Sundaram Textiles Pvt", "Polar Data AS",
)  # fmt: skip
ITEMS = (
    "Hydraulic pump HP-40", "Freight Hamburg-Lisbon", "Office chair, mesh", "Consulting, on site", "Toner cartridge black",
    "Olive oil, 5 l", "Server rack 42U", "Cotton fabric, 300 m", "Dental mirror set", "Annual support plan",
)  # fmt: skip

POLICY_TITLES = (
    "Travel and expenses", "Parental leave", "Information security", "Remote work abroad", "Procurement", "Incident response",
    "Data retention", "Returns and refunds", "Company cars", "Accessibility",
)  # fmt: skip
POLICY_SENTENCES = (
    "Expenses above 250 euros need the approval of a budget owner before the money is spent.",
    "Receipts are uploaded within thirty days; later claims are decided case by case.",
    "Employees may work from another country for up to forty days in a calendar year.",
    "A laptop that is lost or stolen is reported to the security desk within one hour.",
    "Customer data is kept for twenty-four months after the contract ends and is then erased.",
    "Backups are encrypted with a key that is rotated every ninety days.",
    "A supplier with access to personal data signs a processing agreement first.",
    "Train travel is preferred wherever the journey takes less than five hours.",
    "Goods can be returned within thirty days if the seal of the package is unbroken.",
    "A severity one incident has a commander, a scribe and a public status page within fifteen minutes.",
    "Parental leave can be taken in up to three parts until the child's eighth birthday.",
    "Purchases above ten thousand euros need three written offers.",
    "Pages are tested with a screen reader before every release.",
    "Electric cars may be charged at the office free of charge on working days.",
    "Exceptions are granted in writing by the head of the department and last at most six months.",
    "Shared accounts are not allowed; every person signs in with their own.",
)
# (question, number of the sentence that answers it)
POLICY_QUESTIONS = (
    ("How many days may I work from {city} this year?", 2),
    ("Who has to approve an expense of {amount} euros?", 0),
    ("What do I do when my laptop was stolen in {city}?", 3),
    ("How long do we keep the data of a customer who left?", 4),
    ("Can I split my parental leave into three parts?", 10),
    ("Do we need several offers for a purchase of {amount} euros?", 11),
    ("Is the train to {city} mandatory or may I fly?", 7),
    ("What is the deadline for uploading receipts?", 1),
    ("Who leads a severity one incident?", 9),
    ("May I charge my car at the office in {city}?", 13),
)
POLICY_ANSWERS = (
    "According to “{title}”: {sentence}",
    "The policy “{title}” answers this: {sentence} If your case differs, ask the head of your department.",
    "Short answer: {sentence} (source: {title})",
    "I found this in “{title}”. {sentence} I did not find anything about {city} in particular.",
    "The passages I was given don't say so for certain. The closest is in “{title}”: {sentence}",
)

MEETING_SPEAKERS = ("Amara", "Jonas", "Keiko", "Noa", "Piotr", "Ravi", "Sofia", "Tomás", "Yael", "Ingrid")
MEETING_SENTENCES = (
    "The migration of the billing database is two days behind because the replica kept falling over at night.",
    "I suggest that we freeze the schema on Thursday and only then switch the readers.",
    "Sales promised the new export to Harbour & Finch for the end of the quarter.",
    "Can we agree that the error budget is spent and stop shipping features for a week?",
    "The queue was full for eleven minutes, and nobody was paged, because the alert looked at the wrong metric.",
    "I'll write down what we learned and send it around before Friday.",
    "Legal still has a question about where the logs of the Haifa office are kept.",
    "Half of the tickets in the last sprint were about sign-in, mostly from the mobile app.",
    "The new model answers twice as fast but refuses too often on questions about medication.",
    "We should measure the quality on the Japanese set before we roll it out further.",
    "The GPU nodes are at ninety-five percent every evening; I'd like two more replicas.",
    "Let's keep the old deployment for another week, so that we can go back.",
    "The customer was happy with the pilot and wants to start with three warehouses.",
    "Nobody has looked at the accessibility report since spring.",
    "I have doubts about the numbers: the dashboard averages percentiles over buckets.",
    "Decision: we go with the second option, and Piotr owns it.",
)
SUMMARY_LEADS = ("Summary", "Minutes", "Key points", "What was decided")

FUNCTIONS = ("parse_duration", "merge_intervals", "retry_with_backoff", "chunked", "normalise_iban", "moving_average", "topological_order", "debounce")  # fmt: skip
CODE_ASKS = (
    "Write a Python function `{function}` with type hints and a docstring.",
    "Why does `{function}` raise a KeyError for an empty list? Here is the code:\n\n{code}",
    "Review this change and point out bugs, not style:\n\n{code}",
    "Write pytest tests for `{function}`, including the edge cases:\n\n{code}",
    "Convert this to Rust, keep the behaviour:\n\n{code}",
    "Explain what this does, in two sentences:\n\n{code}",
    "Make `{function}` linear instead of quadratic:\n\n{code}",
)
CODE_BODIES = (
    "def {function}(values: list[int], size: int = {number}) -> list[list[int]]:\n"
    "    parts = []\n    for start in range(0, len(values), size):\n        parts.append(values[start:start + size])\n"
    "    return parts\n",
    "def {function}(intervals):\n    intervals.sort()\n    merged = [intervals[0]]\n    for start, end in intervals[1:]:\n"
    "        if start <= merged[-1][1] + {number}:\n            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))\n"
    "        else:\n            merged.append((start, end))\n    return merged\n",
    "async def {function}(call, attempts={number}):\n    for attempt in range(attempts):\n        try:\n"
    "            return await call()\n        except ConnectionError:\n            await asyncio.sleep(2 ** attempt)\n",
    "class Window:\n    def __init__(self):\n        self.values = deque(maxlen={number})\n\n"
    "    def {function}(self, value):\n        self.values.append(value)\n        return sum(self.values) / len(self.values)\n",
)
CODE_REMARKS = (
    "The loop never ends when `size` is zero, so I reject it first.",
    "An empty list is answered with an empty list instead of an IndexError.",
    "The last attempt now re-raises the error instead of returning None.",
    "I kept the signature; only the complexity changes, from O(n²) to O(n log n).",
    "Beware: the caller's list was sorted in place; I sort a copy.",
    "The tests cover the empty input, one element, and values that touch.",
)

TABLES = ("orders", "customers", "shipments", "payments", "sessions", "refunds")
# (question, answer)
SQL_PAIRS = (
    (
        "Revenue per month for {city} in 2026.",
        "SELECT date_trunc('month', created_at) AS month, sum(amount) AS revenue\nFROM orders\nWHERE city = '{city}'\n"
        "  AND created_at >= DATE '2026-01-01'\nGROUP BY month\nORDER BY month;",
    ),
    (
        "Which ten customers have the most {table} in the last {days} days?",
        "SELECT customer_id, count(*) AS n\nFROM {table}\nWHERE created_at > now() - INTERVAL '{days} days'\n"
        "GROUP BY customer_id\nORDER BY n DESC\nLIMIT 10;",
    ),
    (
        "Share of {table} that failed, per week and country.",
        "SELECT date_trunc('week', created_at) AS week, country,\n"
        "       avg((state = 'failed')::int) AS failed\nFROM {table}\nGROUP BY week, country\nORDER BY week, failed DESC;",
    ),
    (
        "Median time between order and shipment, for each warehouse.",
        "SELECT s.warehouse, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.created_at - o.created_at) AS median\n"
        "FROM shipments s\nJOIN orders o ON o.id = s.order_id\nGROUP BY s.warehouse;",
    ),
    (
        "Customers who ordered in {city} but never paid.",
        "SELECT c.id, c.name\nFROM customers c\nLEFT JOIN payments p ON p.customer_id = c.id\n"
        "WHERE c.city = '{city}' AND p.id IS NULL;",
    ),
    (
        "Why is this slow?\n\nSELECT * FROM {table} WHERE date(created_at) = '2026-11-{day:02d}'",
        "The function call on `created_at` hides the index. Compare a range instead:\n\nSELECT * FROM {table}\n"
        "WHERE created_at >= '2026-11-{day:02d}' AND created_at < '2026-11-{day:02d}'::date + 1;",
    ),
)

SMALL_TALK = (
    ("hi", "Hello! How can I help?"),
    ("thanks!!", "You're welcome 😊"),
    ("👍", "👍"),
    ("are you a robot?", "I'm an automated assistant. Shall I connect you to a colleague?"),
    ("opening hours?", "We are open Monday to Friday, 9:00 to 18:00, and Saturday until 14:00."),
    ("human please", "Of course. I'm handing this conversation to a colleague now."),
    ("test", "This is a test reply. Everything works."),
    ("do you ship to {city}?", "Yes, we deliver to {city} within {days} working days."),
)

TRANSLATION_SENTENCES = {
    "en": ("The battery lasts up to {days} hours.", "Keep away from water and direct sunlight.", "Your order has been shipped.", "Tap twice to skip a song."),
    "es": ("La batería dura hasta {days} horas.", "Mantener alejado del agua y de la luz solar directa.", "Su pedido ha sido enviado.", "Toque dos veces para saltar una canción."),
    "de": ("Der Akku hält bis zu {days} Stunden.", "Vor Wasser und direkter Sonne schützen.", "Ihre Bestellung wurde versandt.", "Zweimal tippen, um ein Lied zu überspringen."),
    "ar": ("تدوم البطارية حتى {days} ساعات.", "يُحفظ بعيدا عن الماء وأشعة الشمس المباشرة.", "تم شحن طلبك.", "اضغط مرتين لتخطي الأغنية."),
    "he": ("הסוללה מחזיקה עד {days} שעות.", "יש להרחיק ממים ומאור שמש ישיר.", "ההזמנה שלך נשלחה.", "הקישו פעמיים כדי לדלג על שיר."),
    "hi": ("बैटरी {days} घंटे तक चलती है।", "पानी और सीधी धूप से दूर रखें।", "आपका ऑर्डर भेज दिया गया है।", "गाना छोड़ने के लिए दो बार टैप करें।"),
    "zh": ("电池续航可达 {days} 小时。", "请远离水和阳光直射。", "您的订单已发货。", "轻点两下可跳过歌曲。"),
    "ja": ("バッテリーは最大 {days} 時間持ちます。", "水や直射日光を避けてください。", "ご注文の商品を発送しました。", "2回タップすると曲をスキップします。"),
    "ko": ("배터리는 최대 {days}시간 지속됩니다.", "물과 직사광선을 피하십시오.", "주문하신 상품이 발송되었습니다.", "두 번 탭하면 노래를 건너뜁니다."),
    "ru": ("Аккумулятор работает до {days} часов.", "Беречь от воды и прямых солнечных лучей.", "Ваш заказ отправлен.", "Коснитесь дважды, чтобы пропустить песню."),
}  # fmt: skip
