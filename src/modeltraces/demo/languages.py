"""What customers ask and what a helpful model answers, in eleven languages. Written for this demo; nobody's real words.

Slots: {order} an order number, {product} a product's name, {city} a city, {days} a number of days.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """The parts that a support conversation is composed of; any opening goes with any problem."""

    code: str
    weight: int
    openings: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]
    """(topic, text); an answer's steps are of the same topic."""
    wishes: tuple[str, ...]
    replies: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    closings: tuple[str, ...]


ENGLISH = Language(
    "en",
    54,
    ("Hi there,", "Hello,", "Good morning.", "Hey team,", "Third time writing now:", ""),
    (
        ("delivery", "my order {order} says delivered but nothing arrived in {city}."),
        ("billing", "I was charged twice for the {product} on order {order}."),
        ("defect", "the {product} stopped charging after {days} days."),
        ("account", "I can't sign in any more, the reset mail never comes. I checked the spam folder."),
        ("defect", "the {product} arrived with a cracked screen, order {order}."),
        ("billing", "the invoice for {order} shows the wrong VAT number, our accountant rejects it."),
        ("billing", "the discount code from your newsletter was not applied to {order}."),
        ("account", "your app crashes as soon as I open the tracking page of {order} 😡"),
        ("delivery", "I moved to {city} and need the delivery address of {order} changed."),
        ("defect", "how do I pair the {product} with a second phone?"),
        ("billing", "the subscription renewed although I cancelled it {days} days ago."),
        ("delivery", "the courier left the parcel {order} with a neighbour I have never met."),
    ),
    (
        "Please refund me.",
        "Can I get a replacement instead of a refund?",
        "What should I do next?",
        "I need this solved before the weekend.",
        "Please let me talk to a human.",
        "Could you send a corrected copy?",
        "Thanks in advance 🙏",
    ),
    (
        "I'm sorry about this, and thank you for telling us.",
        "Thank you for your patience while I looked into it.",
        "That should not have happened, and I'll help you put it right.",
        "Thanks for the details. I found your order {order}.",
        "I understand how annoying this is.",
    ),
    (
        ("delivery", "I have opened an investigation with the courier; they answer within {days} working days."),
        ("billing", "The second charge is an authorisation hold and is released by your bank within {days} days."),
        ("defect", "A prepaid return label is on its way to your e-mail address."),
        (
            "defect",
            "Hold the power button for ten seconds, then charge the {product} with the original cable for an hour.",
        ),
        ("billing", "I have issued a full refund; it appears on your statement in 3 to {days} working days."),
        ("account", "I sent a new reset link that is valid for one hour. Please use it in a private window."),
        ("defect", "A replacement {product} leaves our warehouse in {city} tomorrow morning."),
        ("billing", "The corrected invoice is attached to order {order} in your account."),
        ("billing", "I applied the discount afterwards and credited the difference."),
        ("account", "Please update the app to the latest version; the crash on the tracking page is fixed there."),
    ),
    (
        "Is there anything else I can do for you?",
        "Just reply to this message if it isn't solved by then.",
        "Have a good day! 😊",
        "",
    ),
)

SPANISH = Language(
    "es",
    9,
    ("Hola,", "Buenos días,", "Buenas tardes:", ""),
    (
        ("delivery", "mi pedido {order} figura como entregado, pero no ha llegado nada a {city}."),
        ("billing", "me han cobrado dos veces el {product} del pedido {order}."),
        ("defect", "el {product} dejó de cargar a los {days} días."),
        ("account", "no puedo iniciar sesión y el correo para restablecer la contraseña no llega."),
        ("billing", "la factura del pedido {order} tiene un NIF equivocado."),
        ("defect", "¿cómo devuelvo el {product}? La caja llegó rota."),
    ),
    (
        "Quiero el reembolso, por favor.",
        "¿Qué tengo que hacer?",
        "Necesito una solución esta semana.",
        "¡Muchas gracias!",
    ),
    ("Lamento mucho lo ocurrido.", "Gracias por avisarnos.", "He encontrado su pedido {order}."),
    (
        ("delivery", "He abierto una reclamación con el transportista; responderá en {days} días laborables."),
        ("billing", "El reembolso completo aparecerá en su cuenta en un plazo de {days} días."),
        ("defect", "Le acabo de enviar una etiqueta de devolución por correo electrónico."),
        ("defect", "Mantenga pulsado el botón de encendido del {product} durante diez segundos."),
        ("billing", "La factura corregida ya está disponible en su cuenta."),
        ("account", "Le he enviado un enlace nuevo para restablecer la contraseña; es válido durante una hora."),
    ),
    ("¿Puedo ayudarle en algo más?", "Quedo a su disposición.", ""),
)

GERMAN = Language(
    "de",
    9,
    ("Guten Tag,", "Hallo,", "Sehr geehrte Damen und Herren,", ""),
    (
        ("delivery", "meine Bestellung {order} gilt als zugestellt, in {city} ist aber nichts angekommen."),
        ("billing", "für den {product} wurde zweimal abgebucht (Bestellung {order})."),
        ("defect", "der {product} lädt nach {days} Tagen nicht mehr."),
        ("account", "ich komme nicht mehr in mein Konto, die E-Mail zum Zurücksetzen bleibt aus."),
        ("billing", "auf der Rechnung zu {order} steht die falsche Umsatzsteuer-Nummer."),
        ("billing", "das Abonnement wurde trotz Kündigung verlängert."),
    ),
    (
        "Ich bitte um Rückerstattung.",
        "Was soll ich jetzt tun?",
        "Bitte melden Sie sich zeitnah.",
        "Vielen Dank im Voraus!",
    ),
    ("Das tut mir sehr leid.", "Danke für Ihre Nachricht.", "Ich habe Ihre Bestellung {order} gefunden."),
    (
        (
            "delivery",
            "Beim Paketdienst läuft jetzt eine Nachforschung; die Antwort kommt innerhalb von {days} Werktagen.",
        ),
        ("billing", "Die doppelte Abbuchung wird von Ihrer Bank in {days} Tagen freigegeben."),
        ("defect", "Ein Rücksendeetikett ist per E-Mail unterwegs."),
        ("defect", "Halten Sie die Einschalttaste des {product} zehn Sekunden lang gedrückt."),
        ("billing", "Die berichtigte Rechnung liegt in Ihrem Kundenkonto."),
        ("account", "Ein neuer Link zum Zurücksetzen ist unterwegs; er gilt eine Stunde."),
    ),
    ("Kann ich sonst noch etwas für Sie tun?", "Freundliche Grüße", ""),
)

ARABIC = Language(
    "ar",
    5,
    ("مرحبا،", "السلام عليكم،", ""),
    (
        ("delivery", "طلبي رقم {order} يظهر أنه تم تسليمه لكن لم يصلني شيء."),
        ("billing", "تم خصم المبلغ مرتين من بطاقتي للطلب {order}."),
        ("defect", "الجهاز {product} توقف عن الشحن بعد {days} أيام."),
        ("account", "لا أستطيع تسجيل الدخول ورسالة إعادة تعيين كلمة المرور لا تصل."),
    ),
    ("أريد استرداد المبلغ من فضلكم.", "ماذا علي أن أفعل؟", "شكرا جزيلا."),
    ("نعتذر عن هذا الإزعاج.", "شكرا لتواصلك معنا.", "وجدت طلبك رقم {order}."),
    (
        ("delivery", "فتحنا تحقيقا مع شركة الشحن وسيصلنا الرد خلال {days} أيام عمل."),
        ("billing", "سيظهر المبلغ المسترد في حسابك خلال {days} أيام."),
        ("defect", "أرسلنا إليك ملصق الإرجاع بالبريد الإلكتروني."),
        ("defect", "اضغط على زر التشغيل عشر ثوان ثم اشحن الجهاز ساعة كاملة."),
        ("account", "أرسلنا رابطا جديدا لإعادة تعيين كلمة المرور، وهو صالح لمدة ساعة."),
    ),
    ("هل يمكنني مساعدتك في شيء آخر؟", ""),
)

HEBREW = Language(
    "he",
    3,
    ("שלום,", "היי,", ""),
    (
        ("delivery", "ההזמנה שלי {order} מסומנת כנמסרה אבל לא קיבלתי כלום."),
        ("billing", "חויבתי פעמיים עבור {product} בהזמנה {order}."),
        ("defect", "המכשיר {product} הפסיק להיטען אחרי {days} ימים."),
    ),
    ("אני מבקש החזר כספי.", "מה עליי לעשות?", "תודה רבה!"),
    ("אני מצטער על אי הנוחות.", "תודה שפנית אלינו.", "מצאתי את ההזמנה {order}."),
    (
        ("delivery", "פתחנו בירור מול חברת המשלוחים, והתשובה תגיע בתוך {days} ימי עסקים."),
        ("billing", "ההחזר המלא יופיע בחשבון שלך בתוך {days} ימים."),
        ("defect", "תווית החזרה נשלחה אליך בדואר אלקטרוני."),
    ),
    ("אפשר לעזור בעוד משהו?", ""),
)

HINDI = Language(
    "hi",
    4,
    ("नमस्ते,", "हैलो,", ""),
    (
        ("delivery", "मेरा ऑर्डर {order} डिलीवर दिखा रहा है लेकिन मुझे कुछ नहीं मिला।"),
        ("billing", "{product} के लिए मुझसे दो बार पैसे लिए गए हैं, ऑर्डर {order}।"),
        ("defect", "मेरा {product} {days} दिन बाद चार्ज होना बंद हो गया।"),
        ("account", "मैं लॉगिन नहीं कर पा रहा हूँ, पासवर्ड रीसेट का ईमेल नहीं आता।"),
    ),
    ("कृपया पैसे वापस करें।", "अब मुझे क्या करना चाहिए?", "धन्यवाद 🙏"),
    ("असुविधा के लिए हमें खेद है।", "संपर्क करने के लिए धन्यवाद।", "मुझे आपका ऑर्डर {order} मिल गया है।"),
    (
        ("delivery", "हमने कूरियर से जाँच शुरू कर दी है, जवाब {days} कार्य दिवसों में आएगा।"),
        ("billing", "पूरी राशि {days} दिनों में आपके खाते में वापस आ जाएगी।"),
        ("defect", "वापसी का लेबल आपके ईमेल पर भेज दिया गया है।"),
        ("account", "हमने पासवर्ड रीसेट का नया लिंक भेज दिया है, जो एक घंटे तक मान्य है।"),
    ),
    ("क्या मैं और कोई मदद कर सकता हूँ?", ""),
)

CHINESE = Language(
    "zh",
    5,
    ("你好,", "您好,", ""),
    (
        ("delivery", "我的订单 {order} 显示已送达,但我没有收到包裹。"),
        ("billing", "订单 {order} 的 {product} 被重复扣款了。"),
        ("defect", "{product} 用了 {days} 天就充不进电了。"),
        ("account", "我无法登录,重置密码的邮件一直收不到。"),
        ("billing", "订单 {order} 的发票抬头写错了。"),
    ),
    ("请给我退款。", "我该怎么办?", "麻烦尽快处理,谢谢!"),
    ("非常抱歉给您带来不便。", "感谢您的反馈。", "我已经找到您的订单 {order}。"),
    (
        ("delivery", "我们已经联系快递公司调查,{days} 个工作日内会有答复。"),
        ("billing", "全额退款将在 {days} 天内退回您的账户。"),
        ("defect", "退货标签已发送到您的邮箱。"),
        ("defect", "请长按 {product} 的电源键十秒,然后用原装线充电一小时。"),
        ("account", "我们已重新发送重置密码的链接,一小时内有效。"),
    ),
    ("请问还有什么可以帮您?", ""),
)

JAPANESE = Language(
    "ja",
    4,
    ("こんにちは。", "お世話になっております。", ""),
    (
        ("delivery", "注文番号 {order} が配達済みになっていますが、商品が届いていません。"),
        ("billing", "{product} の代金が二重に請求されています。注文番号は {order} です。"),
        ("defect", "{product} が {days} 日で充電できなくなりました。"),
        ("account", "ログインできません。パスワード再設定のメールも届きません。"),
    ),
    ("返金をお願いします。", "どうすればよいですか?", "よろしくお願いいたします。"),
    ("ご不便をおかけし申し訳ございません。", "ご連絡ありがとうございます。", "ご注文 {order} を確認いたしました。"),
    (
        ("delivery", "配送会社に調査を依頼しました。{days} 営業日以内に回答がございます。"),
        ("billing", "全額を {days} 日以内にご返金いたします。"),
        ("defect", "返送用ラベルをメールでお送りしました。"),
        ("defect", "{product} の電源ボタンを十秒間長押ししてください。"),
        ("account", "パスワード再設定用の新しいリンクをお送りしました。有効期限は一時間です。"),
    ),
    ("ほかにご不明な点はございますか?", ""),
)

KOREAN = Language(
    "ko",
    3,
    ("안녕하세요,", ""),
    (
        ("delivery", "주문 {order}이 배송 완료로 표시되지만 상품을 받지 못했습니다."),
        ("billing", "{product} 결제가 두 번 되었습니다. 주문 번호는 {order}입니다."),
        ("defect", "{product}이 {days}일 만에 충전되지 않습니다."),
        ("account", "로그인이 안 되고 비밀번호 재설정 메일도 오지 않습니다."),
    ),
    ("환불해 주세요.", "어떻게 해야 하나요?", "감사합니다."),
    ("불편을 드려 죄송합니다.", "문의해 주셔서 감사합니다.", "주문 {order}을 확인했습니다."),
    (
        ("delivery", "택배사에 조사를 요청했으며 영업일 기준 {days}일 안에 답변을 받습니다."),
        ("billing", "전액 환불은 {days}일 안에 처리됩니다."),
        ("defect", "반품 라벨을 이메일로 보내드렸습니다."),
        ("account", "새 비밀번호 재설정 링크를 보내드렸으며 한 시간 동안 유효합니다."),
    ),
    ("더 도와드릴 일이 있을까요?", ""),
)

RUSSIAN = Language(
    "ru",
    4,
    ("Здравствуйте!", "Добрый день,", ""),
    (
        ("delivery", "заказ {order} отмечен как доставленный, но я ничего не получил."),
        ("billing", "за {product} деньги списали дважды, заказ {order}."),
        ("defect", "{product} перестал заряжаться через {days} дней."),
        ("account", "не могу войти в аккаунт, письмо для сброса пароля не приходит."),
    ),
    ("Верните, пожалуйста, деньги.", "Что мне делать?", "Заранее спасибо."),
    ("Приносим извинения за неудобства.", "Спасибо за обращение.", "Я нашёл ваш заказ {order}."),
    (
        ("delivery", "Мы начали розыск посылки, ответ придёт в течение {days} рабочих дней."),
        ("billing", "Полная сумма вернётся на карту в течение {days} дней."),
        ("defect", "Ярлык для возврата отправлен вам на почту."),
        ("account", "Мы отправили новую ссылку для сброса пароля, она действует один час."),
    ),
    ("Могу ли я ещё чем-то помочь?", ""),
)

EMOJI = Language(
    "emoji",
    1,
    ("👋",),
    (
        ("delivery", "📦❓ {order} 😭"),
        ("billing", "💳💳 {order} 😡"),
        ("defect", "🔋❌ {product} 🤷‍♀️"),
        ("delivery", "👍🏽"),
        ("account", "🔑🚫📧"),
    ),
    ("🙏", "💸↩️", "🆘"),
    ("😔🙏", "✅", "👩🏽‍💻"),
    (("delivery", "🚚🔎 {days} 📅"), ("billing", "💸➡️🏦 {days} 📅"), ("defect", "📧🏷️"), ("account", "🔑🆕📧 ⏰1️⃣")),
    ("😊", "🎉"),
)

LANGUAGES: tuple[Language, ...] = (
    ENGLISH, SPANISH, GERMAN, ARABIC, HEBREW, HINDI, CHINESE, JAPANESE, KOREAN, RUSSIAN, EMOJI,
)  # fmt: skip

NAMES: dict[str, str] = {
    "en": "English", "es": "Spanish", "de": "German", "ar": "Arabic", "he": "Hebrew", "hi": "Hindi",
    "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "ru": "Russian",
}  # fmt: skip
