"""The words by which mail clients and people mark quotes, forwards, signatures and disclaimers.

Data only: one row a language, so that a language is added by adding rows. All entries are
case-folded (``ß`` is ``ss``); phrases are compared after case folding and after white space,
dashes and stars around them are gone. Collected from the behaviour of the clients themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

__all__ = [
    "BANNER",
    "CLOSING",
    "CLOSING_MAX_WORDS",
    "CONNECTORS",
    "DISCLAIMER_STRONG",
    "DISCLAIMER_WEAK",
    "FIRST_PERSON",
    "FORWARD_CUES",
    "FORWARD_MARKERS",
    "FORWARD_SUBJECTS",
    "FORWARD_VERBS",
    "GREETING_WORDS",
    "HEADER_KEYS",
    "NAME_PARTICLES",
    "NOT_A_NAME",
    "OPENERS",
    "ORIGINAL_MARKERS",
    "POSTSCRIPT",
    "QUOTING_WORDS",
    "REPLY_ABOVE",
    "SENT_FIRST_WORDS",
    "SENT_PREFIXES",
    "SENT_SUFFIXES",
    "VERBS_FINAL",
    "VERBS_INNER",
    "WEEKDAYS",
    "word_set",
]


def word_set(words: str) -> frozenset[str]:
    """Return the words of a string as a set."""
    return frozenset(words.split())


def _phrases(table: Mapping[str, str]) -> frozenset[str]:
    """Return all phrases of a table whose values part them by ``;``."""
    return frozenset(_split(table.values()))


def _split(values: Iterable[str]) -> list[str]:
    return [
        phrase.strip().casefold()
        for value in values
        for phrase in value.split(";")
        if phrase.strip()
    ]


def _words(table: Mapping[str, str]) -> frozenset[str]:
    return frozenset(word.casefold() for value in table.values() for word in value.split())


# --- Header blocks: "From: … Sent: … To: … Subject: …" ------------------------------------------

_HEADER_ROWS: Final[Mapping[str, Mapping[str, str]]] = {
    "from": {
        "en": "from",
        "de": "von; absender",
        "fr": "de; expéditeur",
        "es": "remitente",
        "pt": "remetente",
        "it": "da; mittente",
        "nl": "van; afzender",
        "da_no": "fra; afsender; avsender",
        "sv": "från; avsändare",
        "pl_cs": "od; odesílatel; nadawca",
        "fi": "lähettäjä",
        "ru_uk": "от; от кого; від",
        "asia": "差出人; 发件人; 寄件者; 寄件人; 보낸 사람; 보낸사람",
    },
    "sent": {  # a key that hardly stands in anything but a quoted header
        "en": "sent; sent on; sent at",
        "de": "gesendet; gesendet am",
        "fr": "envoyé; envoyé le; date d'envoi",
        "es": "enviado; enviado el; enviados; enviado en",
        "pt": "enviada; enviada em; enviado em; enviado a; data de envio",
        "it": "inviato; inviata; inviato il; data invio",
        "nl": "verzonden; verzonden op",
        "da_no": "sendt",
        "sv": "skickat; skickat den",
        "pl": "wysłano; wysłane; data wysłania",
        "fi": "lähetetty",
        "cs": "odesláno",
        "ru_uk": "отправлено; надіслано",
        "asia": "送信日時; 发送时间; 寄件日期; 보낸 날짜; 보낸날짜",
    },
    "date": {
        "en": "date",
        "de": "datum",
        "es": "fecha",
        "pt_it_pl": "data",
        "da_no": "dato",
        "fi": "päivämäärä; päiväys; pvm",
        "ru_uk": "дата",
        "asia": "日付; 日期; 날짜",
    },
    "to": {
        "en": "to",
        "de": "an; empfänger",
        "fr": "à; pour; destinataire",
        "es_pt": "para",
        "it": "a; destinatario",
        "nl": "aan",
        "da_no": "til",
        "sv": "till",
        "pl": "do",
        "fi": "vastaanottaja",
        "cs": "komu; pro",
        "ru_uk": "кому",
        "asia": "宛先; 收件人; 收件者; 받는 사람; 받는사람",
    },
    "cc": {
        "en": "cc; bcc",
        "de_nl_cs": "kopie; blindkopie; cc kopie",
        "fr": "copie; copie à; cci",
        "es_pt_it": "cco; ccn; copia",
        "da_no_sv": "kopi; kopia",
        "pl": "dw; udw; do wiadomości",
        "fi": "kopio",
        "ru_uk": "копия; копія",
        "asia": "抄送; 副本; 참조",
    },
    "subject": {
        "en": "subject",
        "de": "betreff",
        "fr": "objet; sujet",
        "es": "asunto",
        "pt": "assunto",
        "it": "oggetto",
        "nl": "onderwerp",
        "da_no": "emne",
        "sv": "ämne",
        "pl": "temat",
        "fi": "aihe",
        "cs": "předmět",
        "ru_uk": "тема",
        "asia": "件名; 主题; 主旨; 제목",
    },
    "other": {
        "en": "reply-to; reply to; importance; priority; attachments; attachment; sensitivity; "
        "organization; message-id; resent-from; x-mailer; mailed-by; signed-by; when; where",
        "de": "antwort an; wichtigkeit; priorität; anlagen; anlage; vertraulichkeit",
        "fr": "répondre à; importance; pièces jointes; pièce jointe",
        "es": "responder a; importancia; datos adjuntos; adjuntos; prioridad",
        "pt": "responder para; anexos; importância; prioridade",
        "it": "rispondi a; allegati; priorità",
        "nl": "antwoord aan; bijlagen; bijlage; urgentie; prioriteit",
        "da_no": "vedhæftede filer; vedhæftet; vedlegg; prioritet; svar til",
        "sv": "bilagor; bifogade filer; svar till; prioritet",
        "pl": "załączniki; ważność; odpowiedz do",
        "fi": "liitteet; tärkeys",
        "cs": "přílohy; důležitost",
    },
}

#: Case-folded header key -> role.
HEADER_KEYS: Final[Mapping[str, str]] = {
    key: role for role, rows in _HEADER_ROWS.items() for key in _phrases(rows)
}

# --- Lines between dashes or underscores, or followed by a header block -------------------------

#: "-----Original Message-----" and its kin.
ORIGINAL_MARKERS: Final = _phrases(
    {
        "en": "original message; reply message; original email; original e-mail; "
        "original appointment; previous message; replied message; quoted message",
        "de": "ursprüngliche nachricht; originalnachricht; original-nachricht; "
        "original nachricht; ursprüngliche mail; originalmail; ursprüngliche e-mail; "
        "ursprünglicher termin; antwort nachricht; antwortnachricht; ursprungliche nachricht; "
        "urspruengliche nachricht",
        "fr": "message d'origine; message d’origine; message original; message initial; "
        "courriel original; message de réponse; mail original",
        "es": "mensaje original; mensaje de respuesta; correo original",
        "pt": "mensagem original; mensagem de resposta",
        "it": "messaggio originale; messaggio di risposta",
        "nl": "oorspronkelijk bericht; origineel bericht; oorspronkelijke bericht",
        "da": "oprindelig meddelelse; oprindelig besked; original meddelelse; original besked",
        "no": "opprinnelig melding; original melding; opprinnelig e-post",
        "sv": "ursprungligt meddelande; originalmeddelande; ursprungligt brev",
        "pl": "wiadomość oryginalna; oryginalna wiadomość; wiadomość pierwotna; "
        "pierwotna wiadomość; treść oryginalnej wiadomości",
        "fi": "alkuperäinen viesti",
        "cs": "původní zpráva; původní e-mail; původní email",
        "ru_uk": "исходное сообщение; оригинальное сообщение; исходное письмо; "
        "оригінальне повідомлення",
        "asia": "原始邮件; 原始郵件; 元のメッセージ; 원본 메일; 원본 메시지",
    }
)

#: "---------- Forwarded message ---------", "Begin forwarded message:" and their kin.
FORWARD_MARKERS: Final = _phrases(
    {
        "en": "forwarded message; begin forwarded message; forwarded email; forwarded e-mail; "
        "forwarded mail; start of forwarded message; forwarded message follows; "
        "begin forwarded email; forward message; forwarded message start; "
        "forwarded message begins; start forwarded message",
        "de": "weitergeleitete nachricht; anfang der weitergeleiteten nachricht; "
        "anfang der weitergeleiteten e-mail; anfang der weitergeleiteten mail; "
        "beginn der weitergeleiteten nachricht; beginn der weitergeleiteten e-mail; "
        "weitergeleitete e-mail; weitergeleitete mail; weitergeleitet",
        "fr": "message transféré; message transmis; début du message transféré; "
        "début du message réexpédié; message réexpédié; courriel transféré; "
        "début du courriel transféré",
        "es": "mensaje reenviado; inicio del mensaje reenviado; comienzo del mensaje reenviado; "
        "correo reenviado; inicio de mensaje reenviado; mensaje enviado",
        "pt": "mensagem encaminhada; mensagem reencaminhada; início da mensagem encaminhada; "
        "início da mensagem reencaminhada; início de mensagem reencaminhada; "
        "início de mensagem encaminhada; e-mail encaminhado",
        "it": "messaggio inoltrato; inizio messaggio inoltrato; inizio del messaggio inoltrato",
        "nl": "doorgestuurd bericht; begin doorgestuurd bericht; begin van doorgestuurd bericht; "
        "begin van het doorgestuurde bericht; doorgestuurde bericht; doorgestuurde e-mail",
        "da": "videresendt meddelelse; videresendt besked; start på videresendt besked; "
        "start på videresendt meddelelse; videresendt mail; begynd på videresendt besked; "
        "begynd videresendt besked",
        "no": "videresendt melding; start på videresendt melding; videresendt e-post; "
        "begynnelse på videresendt melding; videresendte melding; "
        "start på videresendt e-post",
        "sv": "vidarebefordrat meddelande; vidarebefordrat brev; vidarebefordrat mejl; "
        "vidarebefordrad e-post; börja på vidarebefordrat meddelande; "
        "börjar på vidarebefordrat meddelande; början på vidarebefordrat meddelande; "
        "början av vidarebefordrat meddelande",
        "pl": "wiadomość przekazana; przekazana wiadomość; treść przekazanej wiadomości; "
        "początek przekazywanej wiadomości; początek przekazanej wiadomości; "
        "wiadomość przekazana dalej; przekazywana wiadomość; treść przekazanej dalej wiadomości",
        "fi": "välitetty viesti; edelleenlähetetty viesti; välitetty viesti alkaa",
        "cs": "přeposlaná zpráva; začátek přeposlané zprávy; předaná zpráva; přeposlaný e-mail; "
        "přeposílaná zpráva",
        "ru_uk": "пересылаемое сообщение; пересланное сообщение; начало переадресованного "
        "сообщения; переслане повідомлення",
        "asia": "转发的邮件; 轉寄的郵件; 転送メッセージ; 転送されたメッセージ; "
        "전달된 메일; 전달된 메시지",
    }
)

#: What the subject of a forwarded mail begins with; "VS" is a reply in Finland.
FORWARD_SUBJECTS: Final = word_set(
    "fw fwd wg tr rv enc vb vl i pd doorst wtr ilt továbbítás videresend 转发 轉寄"
)

#: Helpdesks cut an answer off above "##- Please type your reply above this line -##".
REPLY_ABOVE: Final = tuple(
    _split(
        (
            "above this line; über dieser zeile; oberhalb dieser zeile; au-dessus de cette ligne",
            "encima de esta línea; acima desta linha; sopra questa riga; sopra questa linea",
            "boven deze regel; boven deze lijn; over denne linje; ovanför den här raden",
            "ovanför denna rad; powyżej tej linii; tämän rivin yläpuolelle; nad tento řádek",
        )
    )
)

#: What an author who hardly writes says above a forwarded mail.
FORWARD_CUES: Final = tuple(
    _split(
        (
            "fyi; f.y.i; for your information; see below; please see below; as below; "
            "below email; below mail; email below; mail below; message below; thread below; "
            "trail below; chain below; for info; for your reference; for your records; "
            "please advise on the below; for action; please handle; can you deal with; "
            "can someone look; fwd; read below; see the below; see attached and below; "
            "correspondence below; "
            "from below; below is the; below is what; below was",
            "zur info; zur kenntnis; z. k.; zk; zku; siehe unten; s.u.; s. u.; zur information; "
            "unten stehend; untenstehend; zur weiteren bearbeitung; z. kts; zkts; bitte um "
            "bearbeitung; mit der bitte um; siehe mail unten; siehe nachricht unten",
            "pour info; pour information; ci-dessous; voir ci-dessous; pour suite à donner; "
            "voir plus bas; à toutes fins utiles",
            "para su información; para tu información; ver abajo; véase abajo; más abajo; "
            "para su conocimiento; ver más abajo; a continuación",
            "para sua informação; para conhecimento; veja abaixo; ver abaixo; conforme abaixo; "
            "em baixo; segue abaixo; para informação",
            "per conoscenza; per tua informazione; per vostra informazione; vedi sotto; "
            "vedi mail sotto; qui sotto; di seguito",
            "ter info; ter informatie; zie onder; zie hieronder; ter kennisgeving; t.i.",
            "til orientering; se nedenfor; til info; se nedenstående; se under; til din info; "
            "se mailen nedenfor; se nedenunder",
            "för kännedom; se nedan; till info; fyk; se mejlet nedan; för info",
            "do wiadomości; poniżej; patrz niżej; w załączeniu poniżej; do informacji",
            "tiedoksi; alla oleva; katso alla; na vědomí; viz níže",
        )
    )
)

#: Stems of "I forward this": strong enough for a somewhat longer text above the block.
FORWARD_VERBS: Final = (
    "forward",
    "passing this on",
    "passing on",
    "leite ich",
    "leite dir",
    "leite ihnen",
    "weiterleit",
    "weitergeleitet",
    "transfère",
    "transfere",
    "je vous transmets",
    "faire suivre",
    "reenvío",
    "reenvio",
    "le reenv",
    "encaminho",
    "reencaminho",
    "inoltro",
    "ik stuur",
    "doorsturen",
    "stuur ik",
    "videresend",
    "vidarebefordra",
    "skickar vidare",
    "przekazuję",
    "przesyłam dalej",
    "välitän",
    "přeposílám",
)

# --- Attribution lines: "On … wrote:" -----------------------------------------------------------

#: Verbs that end an attribution (before the colon).
VERBS_FINAL: Final = tuple(
    sorted(
        _phrases(
            {
                "en": "wrote; writes; has written",
                "de": "geschrieben; schrieb; schrieb folgendes; folgendes geschrieben",
                "fr": "a écrit; a ecrit; écrit; a écrit ce qui suit",
                "es": "escribió; escribio; ha escrito; escribió lo siguiente",
                "pt": "escreveu; escreveu o seguinte",
                "it": "ha scritto; scrive; scriveva",
                "nl": "geschreven; schreef; schreef het volgende; het volgende geschreven",
                "da_no_sv": "skrev; skrev følgende; skrev följande; har skrevet; har skrivit; "
                "følgende",
                "pl": "napisał(a); napisał; napisała; pisze; napisano; napisał/a",
                "fi": "kirjoitti",
                "cs": "napsal(a); napsal; napsala; napsal/a",
                "ru_uk": "написал(а); написал; написала; пишет; пише; написав; написала; "
                "написав(ла); писал(а)",
                "ro_hu_tr_el_vi_ca": "a scris; írta; şunları yazdı; yazdı; έγραψε; đã viết; "
                "va escriure",
                "asia": "写道; 寫道; 님이 작성; 님이 작성하였습니다; のメール",
            }
        ),
        key=len,
        reverse=True,
    )
)

#: Verbs that may stand inside an attribution, before the name or the date.
VERBS_INNER: Final = (
    "wrote on",
    "wrote at",
    "wrote in",
    "schrieb",
    "schreef",
    "skrev",
    "kirjoitti",
    "napsal",
    "napisał",
    "heeft",
    "hat am",
    "ha scritto il",
    "escreveu",
    "escribió",
    "a écrit",
    "写道",
)

#: First words of an attribution; a date follows.
OPENERS: Final = _words(
    {
        "en": "on at in",
        "de": "am",
        "fr": "le",
        "es": "el",
        "pt": "em a no às na",
        "it": "il in",
        "nl": "op",
        "da_no_sv": "den på d.",
        "pl": "dnia w",
        "cs": "dne",
        "ru_uk": "в",
        "ro_el_vi": "în pe στις vào",
    }
)

#: Weekday names and their short forms, without a closing period.
WEEKDAYS: Final = _words(
    {
        "en": "mon tue tues wed thu thur thurs fri sat sun monday tuesday wednesday thursday "
        "friday saturday sunday",
        "de": "mo di mi do fr sa so montag dienstag mittwoch donnerstag freitag samstag sonntag "
        "sonnabend",
        "fr": "lun mar mer jeu ven sam dim lundi mardi mercredi jeudi vendredi samedi dimanche",
        "es": "lun mar mié mie jue vie sáb sab dom lunes martes miércoles jueves viernes sábado "
        "domingo",
        "pt": "seg ter qua qui sex sáb dom segunda terça quarta quinta sexta segunda-feira "
        "terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
        "it": "lun mar mer gio ven sab dom lunedì martedì mercoledì giovedì venerdì sabato "
        "domenica",
        "nl": "ma di wo do vr za zo maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        "da_no": "man tir tirs ons tor tors fre lør søn ma ti on to fr lø sø mandag tirsdag "
        "onsdag torsdag fredag lørdag søndag",
        "sv": "mån tis ons tors tor fre lör sön måndag tisdag onsdag torsdag fredag lördag söndag",
        "pl": "pon wt śr czw pt sob niedz nd ndz poniedziałek wtorek środa czwartek piątek "
        "sobota niedziela",
        "fi": "ma ti ke to pe la su maanantai tiistai keskiviikko torstai perjantai lauantai "
        "sunnuntai maanantaina tiistaina keskiviikkona torstaina perjantaina",
        "cs": "po út st čt pá so ne pondělí úterý středa čtvrtek pátek sobota neděle",
        "ru_uk": "пн вт ср чт пт сб вс нд",
    }
)

#: "I", "we": the author speaks of an own earlier mail.
FIRST_PERSON: Final = _words(
    {
        "en": "i we",
        "de": "ich wir",
        "fr": "je nous j'ai",
        "es": "yo nosotros",
        "pt": "eu nós",
        "it": "io noi",
        "nl": "ik wij we",
        "da_no_sv": "jeg vi jag",
        "pl": "ja my",
    }
)

#: Words that introduce somebody else's words rather than a poem, a rule or code of one's own.
QUOTING_WORDS: Final = _words(
    {
        "en": "you your wrote writes said says mail email e-mail message reply replied answer "
        "answered response letter quote colleague agent",
        "de": "sie ihr ihre ihrer ihrem ihren du dein deine schrieb schrieben mail e-mail "
        "nachricht antwort kollege kollegin",
        "fr": "vous votre vos tu ton écrit mail e-mail courriel message réponse collègue",
        "es": "usted su sus tu escribió mensaje correo respuesta",
        "pt": "você seu sua vosso vossa escreveu mensagem e-mail resposta",
        "it": "lei voi suo sua vostro vostra tuo tua scritto messaggio mail risposta",
        "nl": "u uw jij jouw schreef bericht mail antwoord",
        "da_no_sv": "du din ditt dit deres jeres dere skrev mail mejl besked melding "
        "meddelande svar svaret",
        "pl": "pan pani państwo twój wasz napisał wiadomość odpowiedź",
    }
)

# --- Signatures ---------------------------------------------------------------------------------

#: Closing formulas: may stand alone.
_CLOSING_STRONG: Final = _phrases(
    {
        "en": "kind regards; best regards; regards; warm regards; warmest regards; "
        "kindest regards; warmest; many regards; with regards; with best regards; "
        "with kind regards; with warm regards; with kindest regards; yours sincerely; "
        "sincerely; sincerely yours; most sincerely; yours faithfully; faithfully; "
        "faithfully yours; yours truly; truly yours; "
        "yours; yours respectfully; respectfully; respectfully yours; best wishes; "
        "with best wishes; all the best; all my best; all best; my best; very best; "
        "very best regards; "
        "very best wishes; rgds; kr; br; brgds; bw; atb; cheers; cheerio; take care; "
        "warmly; cordially; cordially yours; best; love; lots of love; much love; xoxo; "
        "good regards; regards always; "
        "your faithful customer; greetings; "
        "warm wishes; good wishes; with appreciation; with gratitude; with thanks; "
        "with many thanks; in good faith; signed; "
        "respectfully submitted; yours in frustration; yours cordially; best rgds; "
        "kind rgds; k. regards; bests; yours etc; yours aye",
        "de": "mit freundlichen grüßen; mit freundlichem gruß; mit freundlichem grüßen; "
        "mit freundlichen gruß; mit freundlichen gruessen; freundliche grüße; "
        "freundlichen gruß; freundlicher gruß; freundliche gruesse; viele grüße; vielen gruß; "
        "viele gruesse; liebe grüße; lieben gruß; liebe gruesse; beste grüße; besten gruß; "
        "beste gruesse; herzliche grüße; herzlichen gruß; herzlichst; schöne grüße; "
        "schönen gruß; schoene gruesse; mfg; mfg.; lg; vg; hg; vlg; glg; bg; gruß; grüße; "
        "gruesse; hochachtungsvoll; mit besten grüßen; mit herzlichen grüßen; "
        "mit herzlichem gruß; mit vielen grüßen; mit lieben grüßen; mit bestem gruß; "
        "es grüßt; es grüßt sie; es grüßt freundlich; sonnige grüße; "
        "ganz liebe grüße; mit sonnigen grüßen; viele liebe grüße; freundlichst; "
        "mit verbindlichen grüßen; mit kollegialen grüßen; mit den besten grüßen; "
        "mit freundlichen grüssen und besten wünschen; schöne grüße aus; viele grüße aus; "
        "liebe grüße aus; grüße aus; gruß aus; beste grüße aus; herzliche grüße aus; "
        "in diesem sinne",
        "fr": "cordialement; bien cordialement; très cordialement; cordialement vôtre; "
        "sincères salutations; meilleures salutations; salutations; bien à vous; bien à toi; "
        "amicalement; bien amicalement; respectueusement; salutations distinguées; "
        "salutations cordiales; cordiales salutations; cdlt; cdt; bàv; bises; bisous; "
        "sincèrement; très sincèrement; mes salutations; mes sincères salutations; "
        "avec mes salutations; avec mes meilleures salutations; mes salutations distinguées; "
        "mes meilleures salutations; respectueuses salutations; à bientôt",
        "es": "saludos; un saludo; saludos cordiales; un cordial saludo; cordial saludo; "
        "cordialmente; atentamente; muy atentamente; atte; reciba un cordial saludo; "
        "reciban un cordial saludo; un fuerte abrazo; un abrazo; abrazos; "
        "le saluda atentamente; les saluda atentamente; saludos desde; sinceramente; "
        "muchos saludos; un saludo cordial; un afectuoso saludo; respetuosamente",
        "pt": "atenciosamente; atentamente; att; att.; cumprimentos; melhores cumprimentos; "
        "com os melhores cumprimentos; com os meus cumprimentos; os melhores cumprimentos; "
        "com melhores cumprimentos; cordialmente; abraço; abraços; um abraço; saudações; "
        "respeitosamente; os meus cumprimentos; cordiais saudações; saudações cordiais; cpts; "
        "cordiais cumprimentos; sem mais",
        "it": "cordiali saluti; distinti saluti; saluti; un saluto; un cordiale saluto; "
        "cordialmente; i migliori saluti; migliori saluti; in fede; tanti saluti; "
        "cari saluti; un caro saluto; i più cordiali saluti; con i migliori saluti; "
        "saluti cordiali; porgo cordiali saluti; porgo distinti saluti; "
        "cordialità; a presto; con cordialità",
        "nl": "met vriendelijke groet; met vriendelijke groeten; vriendelijke groet; "
        "vriendelijke groeten; hartelijke groet; hartelijke groeten; met hartelijke groet; "
        "met hartelijke groeten; groet; groeten; groetjes; mvg; m vr gr; hoogachtend; "
        "gr; vr gr; vr groet; veel groeten; met groet; met groeten; hartelijks; beste groeten; "
        "lieve groet; lieve groetjes; met beste groet; met beste groeten; fijne groet",
        "da": "med venlig hilsen; venlig hilsen; med venlige hilsner; venlige hilsner; "
        "de bedste hilsner; bedste hilsner; bedste hilsen; mange hilsner; hilsen; hilsner; "
        "mvh; m v h; vh; v h; kh; k h; dbh; kærlig hilsen; kærlige hilsner; venligst; "
        "med hilsen; mange hilsener; de venligste hilsner; med de bedste hilsner",
        "no": "med vennlig hilsen; vennlig hilsen; med vennlige hilsener; vennlige hilsener; "
        "beste hilsen; beste hilsener; hilsen; med hilsen; vennlegst; med venleg helsing; "
        "venleg helsing; helsing; hilsninger; mange hilsener; vennlige hilsninger",
        "sv": "med vänlig hälsning; med vänliga hälsningar; vänliga hälsningar; "
        "vänlig hälsning; hälsningar; hälsning; bästa hälsningar; bästa hälsning; "
        "varma hälsningar; vänligen; allt gott; kram; kramar; soliga hälsningar; "
        "många hälsningar; högaktningsfullt; med bästa hälsningar; hälsar; vänligt",
        "pl": "pozdrawiam; z poważaniem; serdecznie pozdrawiam; pozdrawiam serdecznie; "
        "z wyrazami szacunku; łączę pozdrowienia; pozdrowienia; serdeczne pozdrowienia; "
        "pozdr; łączę wyrazy szacunku; z powazaniem; z pozdrowieniami; z serdecznymi "
        "pozdrowieniami; pozdrawiamy; z szacunkiem; pozdrawiam cieplo; pozdrawiam ciepło; "
        "z góry dziękuję i pozdrawiam",
        "fi": "ystävällisin terveisin; terveisin; parhain terveisin; terveiset; yt; "
        "ystävällisesti; kunnioittavasti; terkuin",
        "cs": "s pozdravem; s úctou; s přáním hezkého dne; s přátelským pozdravem; "
        "s přáním pěkného dne; srdečně; zdravím",
        "ru_uk": "с уважением; всего доброго; з повагою; с наилучшими пожеланиями",
    }
)

#: Thanks and good wishes: a signature only when the name follows.
_CLOSING_WEAK: Final = _phrases(
    {
        "en": "thanks; thank you; many thanks; thanks a lot; thanks so much; "
        "thank you so much; thanks in advance; thank you in advance; many thanks in advance; "
        "thx; thnx; tks; tnx; ta; thanks again; thank you again; thank you very much; "
        "thanks very much; thanks a million; thanks a bunch; thanks all; much appreciated; "
        "thanking you; thanking you in anticipation; thanking you in advance; "
        "appreciate it; much obliged; "
        "have a nice day; have a good day; have a great day; have a good weekend; "
        "have a great weekend; have a lovely day; speak soon; talk soon; "
        "thanks for your help; thank you for your help; thanks for your time; "
        "thank you for your time; thanks for helping; "
        "ty; tyvm; tia; thanking you kindly; thank you kindly; thanks kindly; "
        "with kind thanks; kind thanks; in hope; hopefully; "
        "grateful; gratefully; cheers and thanks; until then; later",
        "de": "danke; vielen dank; danke im voraus; besten dank; herzlichen dank; dankeschön; "
        "danke schön; vielen dank im voraus; besten dank im voraus; danke vorab; "
        "vielen dank vorab; danke sehr; vielen lieben dank; schönen tag noch; "
        "einen schönen tag; schönes wochenende; bis dann; ich danke ihnen; tausend dank; "
        "danke dir; danke ihnen; dank im voraus",
        "fr": "merci; merci d'avance; merci beaucoup; merci par avance; merci bien; "
        "bonne journée; bonne réception; belle journée; bonne soirée; avec mes remerciements; "
        "en vous remerciant; merci à vous; mille mercis; mille merci; merci de votre aide",
        "es": "gracias; muchas gracias; gracias de antemano; muchas gracias de antemano; "
        "mil gracias; gracias por su ayuda; gracias por todo; buen día; "
        "gracias por adelantado",
        "pt": "obrigado; obrigada; muito obrigado; muito obrigada; desde já obrigado; "
        "desde já obrigada; grato; grata; obg; obrigado desde já; obrigada desde já; "
        "desde já agradeço; agradecido; agradecida; obrigado pela atenção; "
        "obrigada pela atenção; muito grato; muito grata; bom dia",
        "it": "grazie; grazie mille; molte grazie; grazie in anticipo; tante grazie; "
        "buona giornata; buona serata; ringrazio; ringraziando; la ringrazio; vi ringrazio; "
        "grazie anticipatamente; grazie infinite",
        "nl": "bedankt; alvast bedankt; dank u; dank u wel; dank je wel; dank je; dankjewel; "
        "bij voorbaat dank; hartelijk dank; fijne dag; fijne dag nog; bvd; b v d; "
        "alvast hartelijk dank; alvast dank; heel erg bedankt; met dank",
        "da_no": "tak; mange tak; på forhånd tak; tusind tak; tak på forhånd; tak for hjælpen; "
        "takk; tusen takk; på forhånd takk; mange takk; takk på forhånd; takk for hjelpen; "
        "god dag; god weekend; god helg; ha en fin dag; fortsat god dag; hav en god dag",
        "sv": "tack; tack på förhand; tack så mycket; stort tack; tackar; många tack; "
        "tack för hjälpen; ha en bra dag; trevlig helg; ha det bra; tack och hej",
        "pl": "dziękuję; z góry dziękuję; dzięki; dziękuję bardzo; bardzo dziękuję; "
        "z gory dziekuje; dziekuje; miłego dnia; serdecznie dziękuję; "
        "z góry dziękuję za pomoc; dziękuję za pomoc; dziękujemy",
        "fi": "kiitos; kiitoksia; kiitän; kiitos etukäteen; hyvää päivänjatkoa; "
        "kiitos jo etukäteen",
        "cs": "děkuji; děkujeme; díky; předem děkuji; děkuji předem; hezký den; "
        "děkuji za pomoc; pěkný den",
        "ru_uk": "спасибо; заранее спасибо; дякую",
    }
)

#: Closing phrase (words joined by one space) -> whether it may stand alone.
CLOSING: Final[Mapping[str, bool]] = {
    " ".join(phrase.replace(".", " ").split()): strong
    for phrases, strong in ((_CLOSING_WEAK, False), (_CLOSING_STRONG, True))
    for phrase in phrases
}
CLOSING_MAX_WORDS: Final = max(len(phrase.split()) for phrase in CLOSING)

#: Words that join two closing formulas.
CONNECTORS: Final = word_set("and & und et y e en og och i a mit with avec con met med")

#: Whole first words of lines such as "Sent from my phone".
SENT_PREFIXES: Final = tuple(
    _split(
        (
            "sent from my; sent from a; sent from the; sent from mail; sent from outlook; "
            "sent from yahoo; sent from mobile; sent from phone; sent from proton; "
            "sent from gmail; sent from samsung; sent from iphone; sent from ipad; "
            "sent from android; sent from tablet; sent from small; sent from surface; "
            "sent via; sent with; sent using; sent on the go; sent while; sent on the move; "
            "sent from on the; sent from work; sent by mobile; "
            "get outlook for; sent from blackberry; yahoo mail:; typed on; dictated; "
            "written on my; this message was sent from my; tapped out; apologies for typos; "
            "excuse typos; excuse my typos; excuse any typos; please excuse typos; "
            "please excuse any typos; please excuse brevity; please excuse the brevity; "
            "excuse brevity; download outlook",
            "von meinem; von meiner; von yahoo; gesendet von; gesendet mit; gesendet vom; "
            "gesendet aus; diese nachricht wurde von meinem; diese nachricht wurde mit; "
            "holen sie sich outlook; outlook für; versendet mit; verschickt von; "
            "unterwegs gesendet; von unterwegs; mobil gesendet; gesendet über; "
            "mit der mobilen; diese mail wurde mobil",
            "envoyé de mon; envoyé de ma; envoyé depuis; envoyé à partir; envoyé avec; "
            "envoyé par; envoyé via; télécharger outlook; obtenir outlook; obtenez outlook; "
            "provenance : courrier; provenance :",
            "enviado desde; enviado con; enviado a través; enviado de; enviado mediante; "
            "obtener outlook; descargar outlook; enviado por",
            "enviado do meu; enviado do; enviado a partir; enviado pelo; enviado da; enviado via; "
            "obter o outlook; obtenha o outlook; baixar outlook; baixar o outlook; "
            "enviada do meu; enviado através",
            "inviato da; inviato dal; inviato con; inviato tramite; scarica outlook; "
            "ottieni outlook",
            "verzonden vanaf; verstuurd vanaf; verzonden met; verzonden via; verstuurd met; "
            "verzonden vanuit; verstuurd via; outlook voor; download outlook voor; "
            "outlook downloaden",
            "sendt fra; sendt med; sendt via; hent outlook; få outlook; last ned outlook; "
            "hentet fra; skrevet på; skrevet fra; skaff deg outlook",
            "skickat från; skickat med; skickat via; sänt från; hämta outlook; skaffa outlook; "
            "skickades från",
            "wysłano z; wysłane z; wysłano za; wysłano przez; pobierz outlook; "
            "wysłana z; pobierz aplikację outlook",
            "lähetetty; hanki outlook; odesláno z; odesláno ze; odesláno pomocí; "
            "stáhnout outlook; získat outlook; отправлено с; отправлено из; надіслано з; "
            "发自我的; 從我的; 从我的; iphoneから送信; 나의 iphone",
        )
    )
)
SENT_FIRST_WORDS: Final = frozenset(prefix.split()[0] for prefix in SENT_PREFIXES)

#: Ends of such lines where the device stands first.
SENT_SUFFIXES: Final = (
    "gesendet",
    "gesendet.",
    "versendet",
    "herunterladen",
    "downloaden",
    "から送信",
    "에서 보냄",
    "发送",
    "gesendet)",
)

POSTSCRIPT: Final = (
    "ps ",
    "ps:",
    "ps.",
    "p.s.",
    "p.s ",
    "p.s:",
    "pps",
    "p.p.s",
    "p. s.",
    "ps-",
    "ps,",
)

GREETING_WORDS: Final = _words(
    {
        "en": "hi hello hey dear good morning afternoon evening greetings hiya",
        "de": "hallo liebe lieber guten sehr moin servus grüezi werte",
        "fr": "bonjour bonsoir cher chère salut madame monsieur",
        "es": "hola estimado estimada estimados buenos buenas querido querida",
        "pt": "olá ola oi prezado prezada prezados caro cara boa bom exmo",
        "it": "ciao buongiorno salve gentile gentili egregio spettabile spett cara caro",
        "nl": "beste geachte hoi goedemorgen goedemiddag goedendag dag",
        "da_no_sv": "hej hei kære kjære god goddag hejsan tjena bästa",
        "pl": "dzień cześć szanowni szanowny szanowna witam",
        "fi_cs": "hei moi terve hyvä dobrý vážený vážená vážení",
    }
)

#: Capitalised short lines that are no name.
NOT_A_NAME: Final = _words(
    {
        "en": "thanks thank please yes no ok okay help urgent asap hello hi hey dear regards "
        "cheers sorry done great perfect fine sure none nothing refund cancel update reply "
        "invoice order subject attached see note not why what when where who how the this that "
        "it we you they he she and but so if now today tomorrow monday tuesday wednesday thursday "
        "friday saturday sunday january february march april may june july august september "
        "october november december re fw fwd i'm i is are was can could will would do does did "
        "still any waiting unacceptable ridiculous disappointed disgusting goodbye bye agreed "
        "correct same ditto here there model serial number colour color red blue green black "
        "white size small medium large total amount date stop unsubscribe call resolved "
        "terrible awful horrible useless pathetic awesome brilliant lovely wonderful amazing "
        "excellent congratulations congrats merry happy welcome confirmed approved received noted "
        "seriously really",
        "de": "danke bitte ja nein ok okay hilfe dringend siehe anbei es sie wir "
        "rechnung bestellung leider warum wann wie wo was",
        "fr": "merci oui non urgent voir facture commande pourquoi quand",
        "es": "gracias sí si no urgente por factura pedido",
        "pt_it": "obrigado obrigada sim não urgente grazie sì per fattura ordine",
        "nl": "bedankt ja nee graag het de een factuur",
        "da_no_sv": "tak takk tack ja nej nei",
        "pl": "dziękuję tak nie proszę",
    }
)

NAME_PARTICLES: Final = word_set(
    "von van de der den dos das da do di del della la le el al bin ibn ben abu ter ten te "
    "zu zum und and y e & of the for at from aus du des af av o' i.a. i.v. ppa. p.p. pp"
)

# --- Disclaimers --------------------------------------------------------------------------------

#: Phrases any of which makes a paragraph at the end of a mail a disclaimer.
DISCLAIMER_STRONG: Final = tuple(
    _split(
        (
            "intended recipient; intended solely; intended only for; intended for the use; "
            "intended for the addressee; intended for the named; intended for the person; "
            "received this email in error; received this e-mail in error; "
            "received this message in error; received this mail in error; "
            "received this communication in error; received it in error; "
            "received this transmission in error; confidentiality notice; "
            "this email and any attachment; this e-mail and any attachment; "
            "this email and any files; this e-mail and any files; this mail and any attachment; "
            "this message and any attachment; this email, including any; this e-mail, including; "
            "this email is confidential; this e-mail is confidential; "
            "this message is confidential; this communication is confidential; "
            "email may contain confidential; e-mail may contain confidential; "
            "message may contain confidential; email contains confidential; "
            "may contain privileged; contains privileged; privileged and confidential; "
            "confidential and privileged; confidential and may be; confidential and intended; "
            "legally privileged; checked for viruses; scanned for viruses; "
            "free of viruses; virus-free; virus free; please consider the environment; "
            "consider the environment before; think before you print; before printing this; "
            "need to print this; registered in england; registered in scotland; "
            "registered in ireland; originated from outside; "
            "outside of the organi; outside your organi; outside of your organi; "
            "views expressed in this; views or opinions; opinions expressed in this; "
            "authorised and regulated by; authorized and regulated; "
            "unauthorised use; unauthorized use; unauthorised disclosure; "
            "unauthorized disclosure; unauthorized review; strictly prohibited; "
            "you are receiving this; you received this email because; "
            "you received this e-mail because; you received this message because; "
            "to unsubscribe; unsubscribe from this; unsubscribe here; click here to unsubscribe; "
            "to stop receiving; does not accept liability; accepts no liability; "
            "accept no responsibility; accepts no responsibility; no liability; "
            "not responsible for changes; notify the sender; received in error; "
            "not the recipient; may contain personal; "
            "delete it immediately; please delete it; are not the addressee; "
            "notify the sender immediately; delete it from your system; "
            "not legally binding; does not constitute",
            "enthält vertrauliche; vertrauliche und/oder; vertraulich und/oder; "
            "nicht der richtige adressat; nicht der richtige empfänger; "
            "nicht der beabsichtigte; nicht der vorgesehene; irrtümlich erhalten; "
            "unbefugte weitergabe; unbefugte weiterleitung; unerlaubte kopieren; "
            "unerlaubtes kopieren; nicht gestattet; denken sie an die umwelt; "
            "denken sie an unsere umwelt; bevor sie diese e-mail; bevor sie diese mail; "
            "an die umwelt; auf viren geprüft; virenfrei; auf viren überprüft; "
            "ausschließlich für den; ausschließlich für die; nur für den adressaten; "
            "nur für den empfänger; e-mail ist vertraulich; nachricht ist vertraulich; "
            "sitz der gesellschaft; registergericht; newsletter abbestellen; "
            "stammt von außerhalb; absender außerhalb; von außerhalb der organisation",
            "ce message et toutes; ce message et ses; ce courriel et; ce mail et ses; "
            "ce message est confidentiel; ce courriel est confidentiel; "
            "message contient des informations; informations confidentielles; "
            "destiné exclusivement; exclusivement destiné; à l'usage exclusif; "
            "à l’usage exclusif; à l'attention exclusive; reçu ce message par erreur; "
            "reçu ce courriel par erreur; reçu ce mail par erreur; reçu par erreur; "
            "pensez à l'environnement; pensez à l’environnement; avant d'imprimer; "
            "avant d’imprimer; n'imprimez; n’imprimez; se désabonner; vous désabonner; "
            "vous désinscrire; sans virus; ne contient aucun virus; siège social; "
            "strictement interdite",
            "este mensaje y sus; este mensaje y cualquier; este correo y sus; "
            "este correo electrónico y; este mensaje contiene; este correo contiene; "
            "información confidencial; es confidencial y; ha recibido este mensaje por error; "
            "ha recibido este correo por error; recibido este mensaje por error; "
            "recibido por error; dirigido exclusivamente; exclusivamente a su destinatario; "
            "uso exclusivo; antes de imprimir; piense en el medio; medio ambiente antes; "
            "darse de baja; libre de virus; aviso legal; aviso de confidencialidad; "
            "cláusula de confidencialidad; protección de datos; no imprima",
            "esta mensagem e seus; esta mensagem e quaisquer; esta mensagem e os; "
            "esta mensagem é confidencial; esta mensagem pode conter; "
            "esta mensagem contém; este e-mail e; este email e qualquer; "
            "informação confidencial; informações confidenciais; "
            "recebeu esta mensagem por engano; recebido esta mensagem por engano; "
            "recebeu este e-mail por; destinatário; uso exclusivo; antes de imprimir; "
            "cancelar a subscrição; cancelar inscrição; cancelar a inscrição; "
            "aviso de confidencialidade; livre de vírus; pense no ambiente; "
            "pense no meio ambiente",
            "questo messaggio e; questo messaggio è; questa e-mail e; questa email è; "
            "questa e-mail è; informazioni riservate; informazioni confidenziali; "
            "ricevuto per errore; ricevuto questo messaggio per errore; "
            "ricevuto questa e-mail per errore; prima di stampare; avviso di riservatezza; "
            "annulla l'iscrizione; annullare l'iscrizione; privo di virus; "
            "le informazioni contenute; d.lgs; riservato esclusivamente; "
            "destinato esclusivamente; esclusivamente al destinatario; "
            "pensa all'ambiente; rispetta l'ambiente",
            "dit bericht is vertrouwelijk; dit bericht kan vertrouwelijke; "
            "dit bericht en; deze e-mail is; deze e-mail en; deze e-mail kan; "
            "uitsluitend bestemd; vertrouwelijke informatie; niet de geadresseerde; "
            "niet de bedoelde; niet voor u bestemd; ten onrechte ontvangen; "
            "denk aan het milieu; voordat u deze; voordat u dit; uitschrijven voor; "
            "virusvrij; gecontroleerd op virussen; aan de inhoud van; rechten worden ontleend",
            "denne e-mail er; denne mail er; denne e-mail kan; denne e-mail og; "
            "denne mail kan; fortrolige oplysninger; fortrolig information; "
            "indeholde fortrolig; rette modtager; tiltænkte modtager; ved en fejl; "
            "tænk på miljøet; før du printer; før du udskriver; afmeld nyhedsbrev; "
            "scannet for virus; fri for virus",
            "denne e-posten; denne meldingen; konfidensiell informasjon; "
            "inneholde konfidensiell; taushetsbelagt; fortrolig informasjon; rette mottaker; "
            "tiltenkt mottaker; ved en feil; tenk på miljøet; før du skriver ut; "
            "meld deg av; virusfri",
            "detta meddelande är; detta meddelande kan; detta e-postmeddelande; "
            "detta mejl är; detta mejl kan; konfidentiell information; "
            "rätt mottagare; avsedd mottagare; avsedda mottagaren; av misstag; "
            "tänk på miljön; innan du skriver ut; avregistrera dig; avprenumerera; "
            "behandlar personuppgifter; behandlar dina personuppgifter",
            "ta wiadomość; niniejsza wiadomość; treść tej wiadomości; "
            "informacje poufne; poufne informacje; nie jest adresatem; nie są państwo adresatem; "
            "nie jesteś adresatem; przez pomyłkę; omyłkowo; zanim wydrukujesz; "
            "pomyśl o środowisku; kapitał zakładowy; wypisz się; zawiera informacje; "
            "wyłącznie dla adresata; wolna od wirusów; administratorem danych",
            "tämä viesti; tämä sähköposti; luottamuksellinen; tato zpráva; tento e-mail; "
            "důvěrné informace; není určen; jste obdrželi omylem",
        )
    )
)

#: Phrases that count half: two of them, or one below a signature, make a disclaimer.
DISCLAIMER_WEAK: Final = tuple(
    _split(
        (
            "disclaimer; confidential; registered office; company number; registered number; "
            "company registration; registered company; company no; vat reg; vat no; "
            "privacy policy; privacy notice; all rights reserved; "
            "unsubscribe; antivirus; anti-virus; scanned by; external email; external sender; "
            "caution:; important notice; legal notice; email preferences; "
            "manage preferences; manage your preferences; follow us; privileged; "
            "view this email in your browser; view in browser; mailing list; "
            "print this email; print this e-mail; the environment; "
            "a company registered; trading name of; fca; ©; do not reply to this; "
            "this is an automated; automatically generated; copyright",
            "vertraulich; handelsregister; amtsgericht; geschäftsführer; geschäftsführung; "
            "ust-id; umsatzsteuer; hrb; hra; aufsichtsrat; vorstand; abbestellen; abmelden; "
            "datenschutz; impressum; gerichtsstand; virus; newsletter; ausdrucken; umwelt",
            "confidentiel; destinataire; désabonner; désinscrire; rcs; siret; capital de; "
            "analysé par; environnement; tva; mentions légales",
            "confidencial; destinatario; medio ambiente; registro mercantil; cif; rgpd; "
            "baja; lopd; aviso; imprimir",
            "subscrição; meio ambiente; confidenciais; nipc; cnpj; lgpd",
            "riservat; destinatario; iscrizione; privacy; p.iva; p. iva; partita iva; gdpr; "
            "stampare; ambiente",
            "vertrouwelijk; kvk; btw; afmelden; uitschrijven; algemene voorwaarden; milieu; "
            "geadresseerde",
            "fortrolig; cvr; afmeld; modtager; miljø; privatlivspolitik",
            "konfidensiell; org.nr; org. nr; orgnr; avmeld; mottaker; personvern; "
            "foretaksregisteret",
            "konfidentiell; sekretess; personuppgift; integritetspolicy; mottagare",
            "poufn; krs; nip; regon; adresat; rodo; sąd rejonowy; wirus; wypis",
        )
    )
)

#: Banners that a gateway puts on top of a mail.
BANNER: Final = tuple(
    _split(
        (
            "originated from outside; originates from outside; came from outside; "
            "outside of the organi; outside the organi; outside of your organi; "
            "outside your organi; outside our organi; external email; external e-mail; "
            "external sender; external mail; [external]; from an external; "
            "don't often get email from; don’t often get email from; "
            "sent from outside",
            "externe e-mail; externer absender; externe mail; von außerhalb; "
            "ausserhalb der organisation; erhalten nicht häufig e-mails",
            "expéditeur externe; courriel externe; en dehors de l'organisation; "
            "provient de l'extérieur; remitente externo; correo externo; remetente externo; "
            "mittente esterno; externe afzender; buiten de organisatie; ekstern afsender; "
            "ekstern avsender; extern avsändare; nadawca zewnętrzny; spoza organizacji",
        )
    )
)
