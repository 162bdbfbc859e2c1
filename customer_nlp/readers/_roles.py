"""Which side a mail comes from.

With the company's domains given this is a look-up. Without them the company is guessed: it is
the party that most threads have in common, that first mails are addressed to, and that writes
from addresses such as ``support@``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Final

from customer_nlp.errors import InvalidRecordError
from customer_nlp.readers._mail import Envelope

__all__ = ["OwnAddresses", "Sides", "looks_like_desk", "sides_of"]

_FREE_MAIL: Final = frozenset(
    {
        "gmail.com", "googlemail.com", "yahoo.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr",
        "ymail.com", "hotmail.com", "hotmail.co.uk", "hotmail.fr", "hotmail.de", "outlook.com",
        "outlook.de", "live.com", "live.co.uk", "msn.com", "aol.com", "icloud.com", "me.com",
        "mac.com", "gmx.de", "gmx.net", "gmx.at", "gmx.com", "web.de", "t-online.de",
        "freenet.de", "mail.com", "mail.ru", "yandex.ru", "yandex.com", "proton.me",
        "protonmail.com", "pm.me", "orange.fr", "wanadoo.fr", "free.fr", "laposte.net",
        "libero.it", "virgilio.it", "comcast.net", "verizon.net", "btinternet.com", "qq.com",
        "163.com", "126.com", "zoho.com", "fastmail.com", "hey.com", "tutanota.com", "wp.pl",
        "o2.pl", "seznam.cz", "uol.com.br", "bol.com.br", "terra.com.br", "posteo.de",
        "mailbox.org", "ziggo.nl", "bluewin.ch", "telenet.be",
    }
)  # fmt: skip

# A word of the local part that people's own addresses do not have.
_DESKS: Final = frozenset(
    {
        "support", "help", "helpdesk", "service", "services", "customerservice", "customercare",
        "care", "kundenservice", "kundendienst", "kundenbetreuung", "billing", "invoice",
        "invoices", "invoicing", "accounts", "accounting", "rechnung", "rechnungen",
        "buchhaltung", "order", "orders", "bestellung", "bestellungen", "returns", "refunds",
        "claims", "complaints", "warranty", "reservations", "bookings", "noreply", "donotreply",
        "soporte", "ayuda", "atencion", "assistenza", "suporte", "atendimento", "sav",
        "klantenservice", "kundeservice", "kundtjanst", "kundservice", "asiakaspalvelu",
        "sales", "vertrieb", "ventas", "ventes", "feedback", "enquiries", "inquiries",
    }
)  # fmt: skip
# These count only as the whole local part.
_FRONT_DOORS: Final = frozenset(
    {
        "info", "office", "mail", "hello", "hallo", "team", "contact", "kontakt", "contacto",
        "contato", "contatti", "reception", "admin", "no-reply", "no.reply", "do-not-reply",
        "service-client", "booking", "shop", "store", "post",
    }
)  # fmt: skip
_DESK_NAME: Final = re.compile(
    r"\b(?:support|customer (?:service|care|success)|service (?:team|desk|cent(?:er|re))|help ?desk"
    r"|billing|kundenservice|kundendienst|service client|atenci[oó]n al cliente|team)\b",
    re.IGNORECASE,
)
_SPLIT: Final = re.compile(r"[._+-]")

_LOWEST, _HIGHEST = 0.6, 0.95
_UNKNOWN: Final = 0.5
_ON_BEHALF: Final = 0.8
_ADDRESSES_KNOWN: Final = 4096


def domain_of(address: str) -> str:
    """Return what stands behind the last ``@``."""
    return address.rpartition("@")[2]


def _ascii(domain: str) -> str:
    """Write a domain as the network does (RFC 5891): either form may stand in a mail."""
    if domain.isascii() or len(domain) > _DOMAIN_CHARS:
        return domain
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return domain


_DOMAIN_CHARS: Final = 253


class OwnAddresses:
    """The company's domains and addresses, as given by the caller.

    Parameters
    ----------
    entries : iterable of str, or str
        Domains (``example.com``; their sub-domains count) or whole addresses.

    Raises
    ------
    InvalidRecordError
        For an entry that is neither.
    """

    def __init__(self, entries: Iterable[str] | str) -> None:
        if not isinstance(entries, Iterable):
            raise InvalidRecordError(
                "The own_domains must be a list of domains such as ['example.com']; "
                f"got {type(entries).__name__}.",
                field="own_domains",
            )
        listed = (entries,) if isinstance(entries, str) else tuple(entries)
        self._domains: set[str] = set()
        self._addresses: set[str] = set()
        for entry in listed:
            name = entry.strip().lower().rstrip(".") if isinstance(entry, str) else ""
            local, at, domain = name.rpartition("@")
            if not domain or " " in name or "/" in name:
                raise InvalidRecordError(
                    "Each of own_domains must be a domain such as 'example.com' or an address; "
                    f"got another {type(entry).__name__}.",
                    field="own_domains",
                )
            if at and local:
                self._addresses.add(name)
            else:  # "*.example.com" means what "example.com" does
                self._domains.add(_ascii(domain.removeprefix("*").removeprefix(".")))

    def __bool__(self) -> bool:
        return bool(self._domains or self._addresses)

    def __contains__(self, address: str) -> bool:
        if address in self._addresses:
            return True
        domain = _ascii(domain_of(address))
        while domain:
            if domain in self._domains:
                return True
            domain = domain.partition(".")[2]
        return False


class Sides:
    """Tells the company from its customers, for one source.

    Parameters
    ----------
    is_ours : callable
        Tells whether an address is the company's.
    confidence : float
        How sure that is; 1 when the caller said so.
    """

    def __init__(self, is_ours: Callable[[str], bool], confidence: float) -> None:
        self.is_ours = lru_cache(_ADDRESSES_KNOWN)(is_ours)  # asked of each mail's several times
        self.confidence = confidence

    @property
    def given(self) -> bool:
        """Whether the caller named the company."""
        return self.confidence >= 1.0

    def of_conversation(self, mails: Sequence[Envelope]) -> Sides:
        """Return the sides within one conversation.

        They differ where the whole of it, or nothing of it, is on the company's side: then the
        parties of this conversation alone are weighed, at a lower confidence.
        """
        if self.given:
            return self
        ours = [self.is_ours(address) for mail in mails for address in _people(mail)]
        if any(ours) and not all(ours):
            return self
        return _guess([mails], highest=0.75)

    def role(self, mail: Envelope) -> tuple[str, float]:
        """Return the role of a mail's author and how sure it is."""
        if mail.bounce:
            return "system", 1.0
        if not mail.sender:
            return "customer", _UNKNOWN
        if self.author(mail) != mail.sender:
            return "customer", min(self.confidence, _ON_BEHALF)
        return ("agent" if self.is_ours(mail.sender) else "customer"), self.confidence

    def author(self, mail: Envelope) -> str:
        """Return the address that a mail comes from.

        Contact forms, and groups whose members' domains forbid it (DMARC), send to the company
        from an address of its own; the customer is who gets the answer.
        """
        to_us = bool(mail.to) and all(map(self.is_ours, (mail.sender, *mail.to, *mail.cc)))
        answered = mail.reply_to if to_us and "@" in mail.reply_to else ""
        if not answered or self.is_ours(answered) or looks_like_desk(answered):
            return mail.sender
        return answered

    def automatic(self, mail: Envelope) -> bool:
        """Tell whether a machine wrote a mail.

        Groups that a company uses as its support address mark the customers' mails as list mail.
        """
        if mail.automatic or not mail.via_list:
            return mail.automatic
        own_list = self.given and bool(mail.list_domain) and self.is_ours(f"@{mail.list_domain}")
        return not own_list or self.is_ours(self.author(mail))


def sides_of(conversations: Sequence[Sequence[Envelope]], own: OwnAddresses) -> Sides:
    """Tell the sides from the caller's domains, else from the source itself.

    Cost: linear in mails and addresses.
    """
    if own:
        return Sides(own.__contains__, 1.0)
    return _guess(conversations, highest=_HIGHEST)


def _people(mail: Envelope) -> tuple[str, ...]:
    return tuple(filter(None, (mail.sender, *mail.to, *mail.cc)))


def looks_like_desk(address: str, name: str = "") -> bool:
    """Tell an address, or the name beside it, that stands for a desk rather than a person."""
    local = address.partition("@")[0]
    if local in _FRONT_DOORS or not _DESKS.isdisjoint(_SPLIT.split(local)):
        return True
    return bool(name) and bool(_DESK_NAME.search(name[:200]))


def _party(address: str) -> str:
    """Return who an address stands for: its domain, or itself at a mail provider."""
    domain = domain_of(address)
    return address if domain in _FREE_MAIL or "@" not in address else domain


def _guess(threads: Sequence[Sequence[Envelope]], *, highest: float) -> Sides:
    parties = (_party(address) for mails in threads for mail in mails for address in _people(mail))
    first = next(parties, "")
    # Within one domain (an internal help desk) the parties are its addresses.
    party = _party if any(other != first for other in parties) else str
    present: Counter[str] = Counter()
    hints: Counter[str] = Counter()
    for mails in threads:
        seen, hinted = _evidence(mails, party)
        present.update(seen)
        hints.update(hinted)
    company, score, rival = _winner(present, hints)
    enough = len(threads) >= 3 and len(present) > 1 and present[company] * 2 >= len(threads)
    if not company or not (hints[company] or enough):
        return Sides(lambda _: False, _UNKNOWN)
    lead = (score - rival) / score
    confidence = round(_LOWEST + (highest - _LOWEST) * lead, 2)
    return Sides(_belongs(_highest(company, present)), confidence)


def _highest(company: str, present: Counter[str]) -> str:
    """Return the domain above the company's, if that writes too: desks have sub-domains."""
    above = company
    while above := "" if "@" in above else above.partition(".")[2]:
        if present[above] * 2 >= present[company]:
            company = above
    return company


def _winner(present: Counter[str], hints: Counter[str]) -> tuple[str, float, float]:
    """Return the likeliest company, its score and that of the next."""
    # Ties fall to the name, so that the same source gives the same answer.
    ranking = sorted(((present[name] + hints[name] / 10, name) for name in present), reverse=True)
    if not ranking:
        return "", 0.0, 0.0
    return ranking[0][1], ranking[0][0], ranking[1][0] if len(ranking) > 1 else 0.0


def _belongs(company: str) -> Callable[[str], bool]:
    if "@" in company:
        return lambda address: address == company
    below = f".{company}"
    return lambda address: (domain := domain_of(address)) == company or domain.endswith(below)


def _evidence(
    mails: Sequence[Envelope], party: Callable[[str], str]
) -> tuple[set[str], dict[str, int]]:
    """Return the parties of a thread and, in tenths of a thread, what speaks for each."""
    human = [mail for mail in mails if not (mail.automatic or mail.via_list)] or list(mails)
    seen: set[str] = set()
    hints: dict[str, int] = {}
    for number, mail in enumerate(human):
        seen.update(party(address) for address in _people(mail))
        if number == 0 and mail.to:  # who is written to first is whom people turn to
            hints[party(mail.to[0])] = hints.get(party(mail.to[0]), 0) + 8
    desks = {
        party(address)
        for mail in human
        for address, name in _named(mail)
        if address and looks_like_desk(address, name)
    }
    receivers = {party(address) for mail in human for address in mail.company_hints}
    for name in desks | (receivers & seen):
        hints[name] = hints.get(name, 0) + (12 if name in desks else 0) + 4 * (name in receivers)
    return seen, {name: weight for name, weight in hints.items() if name in seen}


def _named(mail: Envelope) -> Iterable[tuple[str, str]]:
    yield mail.sender, mail.sender_name
    for address in (mail.reply_to, *mail.to, *mail.cc):
        yield address, ""
