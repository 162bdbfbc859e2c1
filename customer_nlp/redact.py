"""Personal data masked before anything is scored or written.

`redact` gives a thread of the same shape: every text as long as it was, so that zones, evidence and
all other offsets fit the masked text as well as the real one. What is scored is what is masked, so
nothing that is said of the thread can hold more than the mask shows.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from customer_nlp.errors import MissingExtraError
from customer_nlp.records import Message, Thread
from customer_nlp.text import segment, signature_name, word_set

__all__ = ["KINDS", "MASK", "Found", "find", "known_names", "redact"]

#: One for each letter and digit. A letter itself (U+02CD), so that a masked name is still one
#: word, and to the model what any name is: an unknown one. Marks and spaces stay in between.
MASK: Final = "ˍ"
KINDS: Final = ("email", "iban", "card", "phone", "address", "name")
#: In whose plans a number without a country code is looked up.
REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "IT", "NL")


class Found(NamedTuple):
    """A range of a text that says who somebody is, or where to be found."""

    kind: str
    start: int
    end: int


def redact(thread: Thread, *, key: bytes = b"") -> Thread:
    """Mask what is personal in a thread.

    Parameters
    ----------
    thread : Thread
        Stays as it is.
    key : bytes, default=b""
        Up to 64 bytes that only you know. Ids that hold an address or a name are replaced by a
        keyed hash (BLAKE2b, RFC 7693); without a key, who knows an address can tell its id.

    Returns
    -------
    Thread
        Texts and subjects of the same length, the zones of the real text. Participants are
        numbered (``person-1@domain-1.invalid``), so that who wrote to whom still shows.

    Raises
    ------
    MissingExtraError
        Without phonenumbers.

    Notes
    -----
    Names are masked where they are known from headers and signatures of the thread; a name that
    only ever stands in running text is not. Cost: linear.
    """
    whole = thread.replace(messages=tuple(map(_zoned, thread.messages)))
    names = known_names(whole)
    people = _People()
    renamed = partial(_renamed, names=names, key=key)
    return whole.replace(
        id=renamed(whole.id),
        subject=_masked(whole.subject, names),
        events=tuple(replace(event, about=_masked(event.about, names)) for event in whole.events),
        messages=tuple(
            message.replace(
                text=_masked(message.text, names),
                subject=_masked(message.subject, names),
                id=renamed(message.id),
                refers_to=message.refers_to and renamed(message.refers_to),
                sender=message.sender and people.number(message.sender),
                sender_name=None,
                recipient_names=(),
                to=tuple(map(people.number, message.to)),
                cc=tuple(map(people.number, message.cc)),
            )
            for message in whole.messages
        ),
    )


def _zoned(message: Message) -> Message:
    # of the real text: the mask hides marks by which a signature or a quote is known
    if message.zones:
        return message
    return message.replace(zones=segment(message.text, subject=message.subject))


def _masked(text: Any, names: frozenset[str]) -> Any:
    if not text:
        return text
    parts, position = [], 0
    for _, start, end in find(text, names):
        parts.append(text[position:start])
        parts.append("".join(MASK if c.isalnum() else c for c in text[start:end]))
        position = end
    return "".join([*parts, text[position:]])


def _renamed(identifier: str, *, names: frozenset[str], key: bytes) -> str:
    personal = any(
        one.kind != "phone" or identifier[one.start] == "+" for one in find(identifier, names)
    )
    if not personal and "@" not in identifier:
        return identifier
    digest = hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=8, key=key)
    return f"id-{digest.hexdigest()}"


class _People:
    """Participants by number, in order of appearance within the thread."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._domains: dict[str, int] = {}

    def number(self, person: str) -> str:
        """Return what stands for an address or a name."""
        folded = person.casefold()
        name = f"person-{self._numbers.setdefault(folded, len(self._numbers) + 1)}"
        _, at, domain = folded.rpartition("@")
        if not at:
            return name
        return f"{name}@domain-{self._domains.setdefault(domain, len(self._domains) + 1)}.invalid"


# --- What is personal by its form ---------------------------------------------------------------


def find(text: str, names: frozenset[str] = frozenset()) -> list[Found]:
    """Find what is personal in a text.

    Parameters
    ----------
    text : str
        Any.
    names : frozenset of str
        What `known_names` gives.

    Returns
    -------
    list of Found
        In order, without overlap.
    """
    found: list[Found] = []
    if "@" in text:
        found += [Found("email", *match.span()) for match in _EMAIL.finditer(text)]
    if _DIGITS.search(text):
        found += [*_ibans(text), *_cards(text), *_phones(text), *_addresses(text)]
    if names:
        found += _names(text, names)
    merged: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if merged and one.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, one.end))
        else:
            merged.append(one)
    return merged


_EMAIL: Final = re.compile(r"(?<![\w.+%'-])[\w.+%'-]+@[\w-]+(?:\.[\w-]+)+")

#: ISO 13616: country and number of characters.
_IBAN_CHARS: Final = {
    entry[:2]: int(entry[2:])
    for entry in word_set(
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 "
        "EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 "
        "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 "
        "NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28 "
        "TL23 TN24 TR26 UA29 VA22 VG24 XK20"
    )
}
_IBAN: Final = re.compile(r"(?<!\w)[A-Za-z]{2}\d\d(?:[ -]?[A-Za-z0-9]){11,30}")


def _ibans(text: str) -> Iterator[Found]:
    position = 0
    while match := _IBAN.search(text, position):
        position = match.start() + 4
        places = [i for i in range(*match.span()) if text[i].isalnum()]
        size = _IBAN_CHARS.get(match[0][:2].upper(), 0)
        bare = "".join(text[i] for i in places[:size]).upper()
        if size and len(bare) == size:
            moved = bare[4:] + bare[:4]
            if int("".join(str(int(c, 36)) for c in moved)) % 97 == 1:
                position = places[size - 1] + 1
                yield Found("iban", match.start(), position)


_DIGIT_RUN: Final = re.compile(r"(?<!\w)[2-6]\d{2,18}(?:[ .\u00a0-]\d{3,7})*(?!\w)")
_CARD_DIGITS: Final = range(13, 20)
_DIGITS: Final = re.compile(r"\d+")


def _cards(text: str) -> Iterator[Found]:
    """Find card numbers (ISO/IEC 7812) that start and end with groups of digits."""
    for run in _DIGIT_RUN.finditer(text):
        groups = [match.span() for match in _DIGITS.finditer(text, *run.span())]
        for first, (start, _) in enumerate(groups):
            digits = ""
            for begin, end in groups[first : first + 5]:
                digits += text[begin:end]
                if len(digits) in _CARD_DIGITS and digits.isascii() and _luhn(digits):
                    yield Found("card", start, end)
                    break


def _luhn(digits: str) -> bool:
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(sum(divmod(2 * int(d), 10)) for d in even)) % 10 == 0


_NUMBER: Final = re.compile(
    r"(?<![\w@.+])(?:\+ ?|\()?\d(?:[ ()./\u00a0-]{0,2}\d){6,14}(?=[xX]\d{1,5}\b|(?![\w@]|[.-]\d))"
)
_DATE: Final = re.compile(
    r"(?<!\d)(?:\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d\d"
    r"|(?:19|20)\d\d ?[/–-] ?(?:19|20)\d\d)(?!\d)"
)
_PHONE_WORD: Final = re.compile(
    r"(?:tel|phone|mobile|mob|cell|fax|call|text|reach|ring|number is|whatsapp|telefon|handy|mobil)"
    r"[\w.: ]{0,16}$",
    re.IGNORECASE,
)


#: 212-555-0123: numbers that the North American plan keeps for fiction are no valid ones.
_AMERICAN: Final = re.compile(r"(?:\+?1[ .-])?\(?\d{3}\)?[ .-]{1,2}\d{3}[ .-]\d{4}")


def _phones(text: str) -> Iterator[Found]:
    """Find numbers of a plan that start as phone numbers do, or follow a word that says phone."""
    for match in _NUMBER.finditer(text):
        number = match[0]
        if _DATE.search(number):
            continue
        said = bool(_PHONE_WORD.search(text, max(0, match.start() - 28), match.start()))
        if _AMERICAN.fullmatch(number) or (
            (said or number[0] in "+0(０") and _is_phone(number, said=said)
        ):
            yield Found("phone", *match.span())


def _is_phone(number: str, *, said: bool) -> bool:
    """Tell whether a numbering plan holds a number, or just its length where a word says phone."""
    try:
        import phonenumbers as plans
    except ImportError as error:
        raise MissingExtraError("phonenumbers", "redact") from error
    international = number[0] == "+" or number.startswith("00")
    if international:
        number = "+" + number.lstrip("+0 ")
    fits = plans.is_possible_number if said or international else plans.is_valid_number
    for region in (None,) if international else REGIONS:
        try:
            if fits(plans.parse(number, region)):
                return True
        except plans.NumberParseException:
            continue
    return False


_STREET: Final = (
    r"\d{1,5}[A-Za-z]?,? (?:[A-Z][\w'’.-]{0,30} ){1,4}"
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Close|Crescent|Court|Ct|Way"
    r"|Square|Sq|Place|Pl|Terrace|Gardens|Grove|Row|Mews|Parkway|Highway)(?!\w)"
    r"|[A-ZÄÖÜ][\w.-]{1,40}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer"
    r"|straat|laan|plein|gracht|gatan|vägen|gade|vej|gata|veien) \d{1,4}[a-z]?(?!\w)"
    r"|\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|allée|chemin|impasse|quai) "
    r"(?:[dl][\w’']{1,2} |[dl][’']){0,2}[A-ZÀ-Ý][\w’'-]{1,30}(?!\w)"
    r"|(?:Calle|Avenida|Avda\.|Paseo|Viale|Piazza|Corso|Rua|Praça) (?:[\w.'’-]{1,30} ){0,4}"
    r"[A-ZÀ-Ý][\w.'’-]{1,30},? (?:n[.º°] ?)?\d{1,4}(?!\w)"
    r"|Via (?:[\w.'’-]{1,30} ){0,4}[A-ZÀ-Ý][\w.'’-]{1,30},? \d{1,4}(?=,?\s{1,3}\d{5} [A-Z])"
)
_TOWN: Final = r"(?:,?\s{1,3}(?:[A-Z]{1,2}-)?\d{4,5} [A-ZÄÖÜ][\w.-]{1,30})?"
_UK_POSTCODE: Final = r"[A-PR-UWYZ][A-HK-Y]?\d[A-Z\d]? \d[ABD-HJLNP-UW-Z]{2}(?!\w)"
_US_TOWN: Final = (
    r"(?:[A-Z][\w.'-]{1,30},? ){1,3}(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]"
    r"|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]) \d{5}(?:-\d{4})?(?!\w)"
)
_ADDRESS: Final = re.compile(rf"(?<!\w)(?:(?:{_STREET}){_TOWN}|{_UK_POSTCODE}|{_US_TOWN})")


def _addresses(text: str) -> Iterator[Found]:
    return (Found("address", *match.span()) for match in _ADDRESS.finditer(text))


# --- Names --------------------------------------------------------------------------------------

#: Words of addresses and signatures that are nobody's name.
_NO_NAMES: Final = word_set(
    "a accounts account am pm admin agent assistant au auto billing bot bounce bounces box care "
    "ceo cfo chat client co com complaints contact cto customer customers daemon de delivery "
    "department desk director do email en es feedback finance fr gmail head hello help helpdesk "
    "hi hotline id info inc invoice invoices it kontakt kunde kundenservice limited ltd mail "
    "mailer mailto manager marketing member me my net news no noreply not notification "
    "notifications of office operations operator order orders our owner payment payments "
    "postmaster product purchasing quality reception refund refunds rep reply representative "
    "returns robot sales senior service services shipping shop staff store support system team "
    "tech technical technician the uk us user vertrieb visitor warehouse web webmaster you your "
    "and for from with dear kind regards best thanks thank sent iphone android outlook dr mr mrs "
    "ms prof herr frau gmbh llc plc"
)
_PART: Final = re.compile(r"[^\W_]+")
_WORD: Final = re.compile(r"\w+")
#: A name before an address, as mail programs quote it.
_BEFORE_ADDRESS: Final = re.compile(
    r"((?:[^\W\d_][\w.'’-]{0,30},? ){1,4})[\"']?[<(\[]+(?:mailto:)?$"
)
_HEADER_ROW: Final = re.compile(
    r"^[> \t*]{0,20}(?:from|to|cc|von|an|kopie|de|à|para|da|van|aan|fra|til|från|till|od|do)"
    r"\*?[ \t]?:[ \t*]{0,9}([^\n<>@\[(]{2,80})",
    re.IGNORECASE | re.MULTILINE,
)
_WROTE: Final = re.compile(
    r"(?:,|\d|>) ((?:[A-Z][\w.'’-]{0,30} ){1,4})(?:wrote|writes|said)\s?:"
    r"|(?:schrieb|escribió|écrit :|ha scritto) ((?:[A-Z][\w.'’-]{0,30} ?){1,4})[:<]"
)


def known_names(thread: Thread) -> frozenset[str]:
    """Collect the words by which people of a thread are called, case folded.

    Taken from the headers, from addresses, from signatures and from the headers of quoted mails.
    """
    names: set[str] = set()
    for message in thread.messages:
        names.update(_parts(message.sender_name or ""))
        for name in message.recipient_names:
            if _NO_NAMES.isdisjoint(_PART.findall(name.casefold())):  # a person's, not a desk's
                names.update(_parts(name))
        for person in filter(None, (message.sender, *message.to, *message.cc)):
            local, at, _ = person.partition("@")
            # one word before the @ is a desk's as often as a name: "claims@" is nobody
            own = message.role == "customer" and person == message.sender
            if not at or own or _PART.fullmatch(local) is None:
                names.update(_parts(local, shortest=3 if at else 2))
        for name in _named_in(message):
            names.update(_parts(name))
    return frozenset(names)


def _named_in(message: Message) -> Iterator[str]:
    text = message.text
    for zone in message.zones_of("signature"):
        yield signature_name(text[zone.start : zone.end])
    for zone in message.zones_of("quote", "forward"):
        quoted = text[zone.start : zone.end]
        found = [match[1] for match in _HEADER_ROW.finditer(quoted)]
        found += [match[1] or match[2] for match in _WROTE.finditer(quoted)]
        for match in _EMAIL.finditer(quoted):
            head = quoted[max(0, match.start() - 90) : match.start()].rpartition("\n")[2]
            if named := _BEFORE_ADDRESS.search(head):
                found.append(named[1])
        yield from (word for name in found for word in name.split() if word[0].isupper())


def _parts(name: str, *, shortest: int = 2) -> Iterable[str]:
    words = {*_PART.findall(name), *_WORD.findall(name)}
    return (
        word.casefold()
        for word in words
        if len(word) >= shortest
        and any(map(str.isalpha, word))
        and word.casefold() not in _NO_NAMES
    )


def _names(text: str, names: frozenset[str]) -> Iterator[Found]:
    """Find names; without a capital only words of four letters that are nothing else."""
    for match in _WORD.finditer(text):
        word = match[0]
        if word.casefold() in names:
            if word[0].isupper() or not word.isalpha() or word.casefold() not in _ALSO_WORDS:
                yield Found("name", *match.span())
        elif "_" in word and not names.isdisjoint(part.casefold() for part in word.split("_")):
            yield Found("name", *match.span())


#: Names that are words of the language as well: masked where they have a capital only.
_ALSO_WORDS: Final = word_set(
    "art april august bill bob buck can carry case chase chip chuck clay cliff dale dawn dean do "
    "dot drew dale earl faith field fields ford forest frank gay gene grace grant green guy hall "
    "hand harmony he heath hill home hope hunter iris jack jade jean jewel joy june king lane law "
    "light long love major mark marks mason max may mercy mike miles mills mine misty more moss "
    "nick norm olive page park pat paul penny pierce pitt poppy price ray reed rich rick rob robin "
    "rock rod rose ruby rush rusty sandy see short sky so star stone strong sue summer sunny teddy "
    "terry tom trip van victor wade ward way week west wells white will win wish wood work wright "
    "young bell black brown cook carter fox fry gray hardy hart day best little new small sharp "
    "she son man than ha ho an in on is or to"
)
