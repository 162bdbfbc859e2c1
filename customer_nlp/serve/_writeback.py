"""What goes back to the helpdesk: a tag, a private note, a custom field; and webhooks of ours.

One row a platform says by which calls of its API, and how the words are fetched that its webhooks
leave out. Sources: the vendors' API references, named beside each row; what of them could be
checked, and what not, is in docs/serve.md. Where a platform has no such call, or one that would
erase what others wrote, the row leaves it out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from customer_nlp.codebook import ACTIONS
from customer_nlp.environment import named_secrets
from customer_nlp.errors import CustomerNlpError, InvalidRecordError, MissingExtraError, SourceError
from customer_nlp.serve._settings import DEFAULT_TENANT, check_tenant
from customer_nlp.serve._store import NewJob

try:
    import httpx
except ImportError as error:
    raise MissingExtraError("httpx", "serve") from error

__all__ = ["Connection", "RefusedError", "TryLaterError", "WriteBack", "note_text", "sign_webhook"]

#: What can be written.
KINDS: Final = ("tag", "note", "field")
#: Actions that need no note: the agent would do the same without us.
_ORDINARY: Final = frozenset({"reply", "close"})
_TAG_PREFIX: Final = "next_"
#: Tags that are ours to take off again: a thread has one next step.
_OUR_TAGS: Final = frozenset(_TAG_PREFIX + action for action in ACTIONS)
_TIMEOUT_SECONDS: Final = 10.0
_LONGEST_WAIT_SECONDS: Final = 3600.0
_WEBHOOK: Final = "webhook"
_HUBSPOT_WORDS: Final = frozenset({"conversation.creation", "conversation.newMessage"})
_MOST_ITEMS: Final = 1000
_MOST_PAGES: Final = 1000


class TryLaterError(CustomerNlpError):
    """The other side asks to wait, or cannot be reached.

    Parameters
    ----------
    message : str
        Why.
    seconds : float, optional
        How long, where it said so.
    """

    def __init__(self, message: str, *, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class RefusedError(CustomerNlpError):
    """The other side will not have it, however often it is asked."""


@dataclass(frozen=True, slots=True)
class _Removal:
    """The call that takes off one tag: ``{old}`` is its name, ``{old_id}`` its id."""

    path: str
    body: Any


@dataclass(frozen=True, slots=True)
class _Call:
    """One call: words in braces are filled in.

    ``{all}`` is what is there already with what is new, ``{rows}`` the same fields as a list.
    """

    method: str
    path: str
    body: Any
    #: Where tags or fields that are there already are read: path, then their key in the answer.
    there: tuple[str, str] | None = None
    #: Takes off our earlier tag, where tags are added one by one.
    removal: _Removal | None = None
    #: Where ``{tag_id}`` is from.
    tag: _NamedTag | None = None
    #: Where ``{ticket}`` is from, of a thread that belongs to one: path, then its key.
    ticket: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Pages:
    """A list that is given a page at a time."""

    path: str
    #: Where the answer has its items, and the word that asks for the next page.
    items: str
    after: tuple[str, ...]
    #: The parameter that takes that word.
    page: str


@dataclass(frozen=True, slots=True)
class _NamedTag:
    """How a tag is found, or made, that is attached by its id."""

    #: Makes a tag; where none are listed, also gives the one of that name.
    path: str
    pages: _Pages | None = None


@dataclass(frozen=True, slots=True)
class _Listing:
    """How the messages of a thread are fetched whose webhooks hold an id or a preview."""

    #: The threads that a webhook's body speaks of.
    threads: Callable[[Any], Iterable[object]]
    pages: _Pages
    #: What `readers` take, with the thread's id and its messages.
    whole: Callable[[str, list[Any]], Any]


def _hubspot_threads(body: Any) -> Iterator[object]:
    for event in body if isinstance(body, list) else [body]:
        if isinstance(event, dict) and event.get("subscriptionType") in _HUBSPOT_WORDS:
            yield event.get("objectId")


def _front_threads(body: Any) -> Iterator[object]:
    event = _at(body, ("payload",)) or body  # of an application; a rule sends the event itself
    if _at(event, ("target", "_meta", "type")) == "message":
        yield _at(event, ("conversation", "id"))


def _front_pages(path: str) -> _Pages:
    return _Pages(path, "_results", ("_pagination", "next"), "page_token")


def _at(record: Any, keys: Iterable[str]) -> Any:
    for key in keys:
        record = record.get(key) if isinstance(record, dict) else None
    return record


@dataclass(frozen=True, slots=True)
class _Api:
    """How a platform is written to."""

    calls: Mapping[str, _Call]
    header: str = "Authorization"
    scheme: str = "Bearer"  # "Basic" encodes the token; "" sends it as it is
    #: Lists the notes of a thread, so that one whose answer was lost is not written twice.
    notes: str = ""
    needs: tuple[str, ...] = ()
    listing: _Listing | None = None


_APIS: Final[Mapping[str, _Api]] = {
    # https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/ and
    # …/ticketing/ticket-management/tags/ (PUT adds, POST would replace, DELETE takes off)
    "zendesk": _Api(
        {
            "tag": _Call("PUT", "/api/v2/tickets/{id}/tags.json", {"tags": ["{tag}"]},
                         there=("/api/v2/tickets/{id}/tags.json", "tags"),
                         removal=_Removal("/api/v2/tickets/{id}/tags.json", {"tags": ["{old}"]})),
            "note": _Call("PUT", "/api/v2/tickets/{id}.json",
                          {"ticket": {"comment": {"body": "{text}", "public": False}}}),
            "field": _Call("PUT", "/api/v2/tickets/{id}.json",
                           {"ticket": {"custom_fields": [{"id": "{field}", "value": "{value}"}]}}),
        },
        scheme="Basic",
        notes="/api/v2/tickets/{id}/comments.json?sort_order=desc",
    ),
    # https://developers.freshdesk.com/api/#update_ticket (tags are replaced as a whole) and
    # …#add_note_to_a_ticket
    "freshdesk": _Api(
        {
            "tag": _Call("PUT", "/api/v2/tickets/{id}", {"tags": "{all}"},
                         there=("/api/v2/tickets/{id}", "tags")),
            "note": _Call("POST", "/api/v2/tickets/{id}/notes",
                          {"body": "{html}", "private": True}),
            "field": _Call("PUT", "/api/v2/tickets/{id}",
                           {"custom_fields": {"{field}": "{value}"}}),
        },
        scheme="Basic",
        notes="/api/v2/tickets/{id}/conversations",
    ),
    # https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations and
    # …/tags (making a tag whose name is there gives that one)
    "intercom": _Api(
        {
            "tag": _Call("POST", "/conversations/{id}/tags",
                         {"id": "{tag_id}", "admin_id": "{agent}"}, tag=_NamedTag("/tags"),
                         there=("/conversations/{id}", "tags.tags"),
                         removal=_Removal("/conversations/{id}/tags/{old_id}",
                                          {"admin_id": "{agent}"})),
            "note": _Call("POST", "/conversations/{id}/reply",
                          {"message_type": "note", "type": "admin", "admin_id": "{agent}",
                           "body": "{html}"}),
            "field": _Call("PUT", "/conversations/{id}",
                           {"custom_attributes": {"{field}": "{value}"}}),
        },
        notes="/conversations/{id}",
        needs=("agent",),
    ),
    # https://developers.hubspot.com/docs/api-reference, "conversations inbox & messages v3" and
    # …/guides/api/crm/objects/tickets (threads have neither tags nor fields, their tickets have
    # properties)
    "hubspot": _Api(
        {
            "note": _Call("POST", "/conversations/v3/conversations/threads/{id}/messages",
                          {"type": "COMMENT", "text": "{text}"}),
            "field": _Call("PATCH", "/crm/v3/objects/tickets/{ticket}",
                           {"properties": {"{field}": "{value}"}},
                           ticket=("/conversations/v3/conversations/threads/{id}"
                                   "?association=TICKET",
                                   "threadAssociations.associatedTicketId")),
        },
        notes="/conversations/v3/conversations/threads/{id}/messages?sort=-createdAt",
        listing=_Listing(
            _hubspot_threads,
            _Pages("/conversations/v3/conversations/threads/{id}/messages", "results",
                   ("paging", "next", "after"), "after"),
            lambda _, messages: {"results": messages},
        ),
    ),
    # https://developer.helpscout.com/mailbox-api/ and helpscout-api-php (tags and fields are
    # replaced as a whole)
    "helpscout": _Api(
        {
            "tag": _Call("PUT", "/v2/conversations/{id}/tags", {"tags": "{all}"},
                         there=("/v2/conversations/{id}", "tags")),
            "note": _Call("POST", "/v2/conversations/{id}/notes", {"text": "{html}"}),
            "field": _Call("PUT", "/v2/conversations/{id}/fields", {"fields": "{rows}"},
                           there=("/v2/conversations/{id}", "customFields")),
        },
        notes="/v2/conversations/{id}/threads",
    ),
    # https://dev.frontapp.com/reference and its github.com/frontapp/front-api-specs (fields are
    # replaced as a whole)
    "front": _Api(
        {
            "tag": _Call("POST", "/conversations/{id}/tags", {"tag_ids": ["{tag_id}"]},
                         tag=_NamedTag("/tags", _front_pages("/tags")),
                         there=("/conversations/{id}", "tags"),
                         removal=_Removal("/conversations/{id}/tags", {"tag_ids": ["{old_id}"]})),
            "note": _Call("POST", "/conversations/{id}/comments", {"body": "{text}"}),
            "field": _Call("PATCH", "/conversations/{id}", {"custom_fields": "{all}"},
                           there=("/conversations/{id}", "custom_fields")),
        },
        notes="/conversations/{id}/comments",
        listing=_Listing(
            _front_threads,
            _front_pages("/conversations/{id}/messages"),
            lambda thread, messages: {"id": thread, "messages": messages},
        ),
    ),
    # https://developers.gorgias.com/reference/create-ticket-tags, …/create-ticket-message and
    # …/update-ticket-custom-field (one field; its body is the bare value)
    "gorgias": _Api(
        {
            "tag": _Call("POST", "/api/tickets/{id}/tags", {"names": ["{tag}"]},
                         there=("/api/tickets/{id}", "tags"),
                         removal=_Removal("/api/tickets/{id}/tags", {"names": ["{old}"]})),
            "note": _Call("POST", "/api/tickets/{id}/messages",
                          {"channel": "internal-note", "via": "internal-note", "from_agent": True,
                           "public": False, "body_text": "{text}",
                           "sender": {"email": "{agent}"}}),
            "field": _Call("PUT", "/api/tickets/{id}/custom-fields/{field}", "{value}"),
        },
        scheme="Basic",
        notes="/api/tickets/{id}/messages",
        needs=("agent",),
    ),
    # https://developers.chatwoot.com/api-reference/ and its own swagger/
    # (labels and attributes are replaced as a whole)
    "chatwoot": _Api(
        {
            "tag": _Call("POST", "/api/v1/accounts/{account}/conversations/{id}/labels",
                         {"labels": "{all}"},
                         there=("/api/v1/accounts/{account}/conversations/{id}/labels",
                                "payload")),
            "note": _Call("POST", "/api/v1/accounts/{account}/conversations/{id}/messages",
                          {"content": "{text}", "message_type": "outgoing", "private": True}),
            "field": _Call("POST",
                           "/api/v1/accounts/{account}/conversations/{id}/custom_attributes",
                           {"custom_attributes": "{all}"},
                           there=("/api/v1/accounts/{account}/conversations/{id}",
                                  "custom_attributes")),
        },
        header="api_access_token",
        scheme="",
        notes="/api/v1/accounts/{account}/conversations/{id}/messages",
        needs=("account",),
    ),
    # https://docs.zammad.org/en/latest/api/ticket/tags.html and …/articles.html
    "zammad": _Api(
        {
            "tag": _Call("POST", "/api/v1/tags/add",
                         {"item": "{tag}", "object": "Ticket", "o_id": "{id}"},
                         there=("/api/v1/tags?object=Ticket&o_id={id}", "tags"),
                         removal=_Removal("/api/v1/tags/remove",
                                          {"item": "{old}", "object": "Ticket", "o_id": "{id}"})),
            "note": _Call("POST", "/api/v1/ticket_articles",
                          {"ticket_id": "{id}", "type": "note", "internal": True,
                           "content_type": "text/plain", "body": "{text}"}),
            "field": _Call("PUT", "/api/v1/tickets/{id}", {"{field}": "{value}"}),
        },
        scheme="Token token=",
        notes="/api/v1/ticket_articles/by_ticket/{id}",
    ),
    # https://api-docs.freescout.net (tags are replaced as a whole; fields are taken to be)
    "freescout": _Api(
        {
            "tag": _Call("PUT", "/api/conversations/{id}/tags", {"tags": "{all}"},
                         there=("/api/tags?conversationId={id}&pageSize=100", "_embedded.tags")),
            "note": _Call("POST", "/api/conversations/{id}/threads",
                          {"type": "note", "text": "{html}", "user": "{agent}"}),
            "field": _Call("PUT", "/api/conversations/{id}/custom_fields",
                           {"customFields": "{rows}"},
                           there=("/api/conversations/{id}", "customFields")),
        },
        header="X-FreeScout-API-Key",
        scheme="",
        notes="/api/conversations/{id}?embed=threads",
        needs=("agent",),
    ),
    # https://django-helpdesk.readthedocs.io/en/stable/api.html
    "django-helpdesk": _Api(
        {
            "note": _Call("POST", "/api/followups/",
                          {"ticket": "{id}", "title": "Next", "comment": "{text}",
                           "public": False}),
        },
        scheme="Basic",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Connection:
    """What one tenant has written back to one place.

    Parameters
    ----------
    url : str
        Beginning of the API's addresses; https, but for this machine.
    token : str
        As the platform takes it (``user:password`` where that is Basic); a signing secret for
        webhooks of ours.
    write : tuple of str
        Some of ``tag``, ``note``, ``field``.
    field, agent, account : str
        The custom field's id or name, who writes notes, and the account, where the platform needs
        them.
    dry_run : bool, default=True
        Only keep what would be written.
    fetch : bool, default=False
        Fetch the words that the platform's webhooks leave out.
    """

    url: str
    token: str
    write: tuple[str, ...] = KINDS
    field: str = ""
    agent: str = ""
    account: str = ""
    dry_run: bool = True
    fetch: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class WriteBack:
    """Plans and carries out what is written back.

    Parameters
    ----------
    connections : mapping
        From tenant and platform (or ``webhook``).
    transport : httpx.BaseTransport, optional
        In place of the network.
    """

    connections: Mapping[tuple[str, str], Connection] = field(default_factory=dict)
    transport: httpx.BaseTransport | None = None

    @classmethod
    def from_file(cls, path: str, *, environment: Mapping[str, str] | None = None) -> WriteBack:
        """Read a TOML file with a table ``[tenant.platform]`` or ``[tenant.webhook]`` each.

        Raises
        ------
        SourceError
            When the file cannot be read.
        InvalidRecordError
            For a key or a value that cannot be, and for a missing token.

        Notes
        -----
        Tokens come from ``CUSTOMER_NLP_TOKEN_ZENDESK`` and the like (``…_<TENANT>__ZENDESK`` for
        other tenants than ``default``), or the file that ``…_FILE`` names.
        """
        known = os.environ if environment is None else environment
        try:
            # some editors begin a file with a mark that TOML does not know
            stated = tomllib.loads(Path(path).read_text(encoding="utf-8-sig")) if path else {}
        except (OSError, ValueError, RecursionError) as error:
            raise SourceError(
                f"Expected a TOML file for what is written back; got {type(error).__name__}.",
                source=path,
            ) from None
        return cls(
            {
                (tenant, name): _connection(tenant, name, table, known)
                for tenant, tables in stated.items()
                for name, table in _tables(tables)
            }
        )

    def plan(
        self, tenant: str, platform: str, identifier: str, record: Mapping[str, Any]
    ) -> Iterator[NewJob]:
        """Yield what is to be written for an analysis.

        Parameters
        ----------
        tenant, platform : str
            Whose thread, and where it is from.
        identifier : str
            The thread in the store.
        record : mapping
            Of ``Analysis.to_dict()``.
        """
        advice = record["recommendation"]
        primary = advice["primary"]
        if primary is None:
            return
        thread, after = record["thread_id"], record["after"]
        connection = self.connections.get((tenant, platform))
        said = {"tag": _TAG_PREFIX + primary, "field": primary, "note": note_text(record)}
        for kind in connection.write if connection else ():
            if (kind == "note" and primary in _ORDINARY) or not connection:
                continue
            # A note is written once however often it would be said; a field may change back.
            once = _digest(said[kind] if kind == "note" else f"{after}\n{said[kind]}")
            payload = {"kind": kind, "thread": thread, "value": said[kind]}
            yield _job("write", platform, f"{identifier}\n{kind}\n{once}", payload, identifier,
                       dry=connection.dry_run)  # fmt: skip
        hook = self.connections.get((tenant, _WEBHOOK))
        if hook:
            told = {"thread": identifier, "after": after, "model": record["model"],
                    "recommendation": _without_words(advice)}  # fmt: skip
            # sent again where time alone changed the advice
            steps = [primary, advice["timing"], *(one["action"] for one in advice["actions"])]
            once = _digest(" ".join([str(after), *steps]))
            yield _job("send", _WEBHOOK, f"{identifier}\n{once}", told, identifier,
                       dry=hook.dry_run)  # fmt: skip

    def write(
        self, tenant: str, platform: str, payload: Mapping[str, Any], *, again: bool = False
    ) -> None:
        """Write a tag, a note or a field.

        Parameters
        ----------
        tenant, platform : str
            Whose, and where.
        payload : mapping
            As `plan` made it.
        again : bool, default=False
            It was tried before: a note is looked for first.

        Raises
        ------
        TryLaterError, RefusedError
            When it was not written.
        """
        connection, api = self._connection(tenant, platform), _APIS[platform]
        kind, value = payload["kind"], payload["value"]
        call = api.calls[kind]
        mark = f"[ref {_digest(payload['thread'] + value)[:12]}]"
        text = f"{value}\n{mark}"
        known: dict[str, Any] = {
            "id": payload["thread"], "tag": value, "value": value, "text": text,
            "html": _html(text), "field": connection.field, "agent": connection.agent,
            "account": connection.account,
        }  # fmt: skip
        with self._client(connection, api) as client:
            if kind == "note" and again and api.notes:
                written = _asked(client, "GET", _path(api.notes, known)).text
                if mark in written:
                    return
            if kind == "tag":
                _tagged(client, call, value, known)
                return
            if call.there is not None:
                path, key = call.there
                there = _fields_there(_asked(client, "GET", _path(path, known)), key)
                joined = there | {connection.field: value}
                if joined == there:
                    return
                known |= {"all": joined, "rows": _rows(joined)}
            if call.ticket is not None:
                path, key = call.ticket
                known["ticket"] = _found(_asked(client, "GET", _path(path, known)), key)
                if not known["ticket"]:
                    raise _nothing(key)
            _carried_out(client, call, known)

    def send(self, tenant: str, key: str, payload: bytes, *, now: datetime) -> None:
        """Send a webhook of ours, signed as Standard Webhooks say.

        Raises
        ------
        TryLaterError, RefusedError
            When it was not taken.
        """
        connection = self._connection(tenant, _WEBHOOK)
        body = json.dumps(
            {"type": "thread.analyzed", "timestamp": now.isoformat(), "data": json.loads(payload)}
        ).encode()
        headers = sign_webhook(connection.token, f"msg_{_digest(key)[:32]}", now, body)
        with self._client(connection, None) as client:
            _asked(client, "POST", "", content=body,
                   headers=headers | {"Content-Type": "application/json"})  # fmt: skip

    def to_fetch(self, tenant: str, platform: str, body: Any) -> list[str]:
        """Return ids of the threads that are to be fetched for a webhook, each once.

        Parameters
        ----------
        tenant, platform : str
            Whose, and where from.
        body : dict or list
            What the platform sent.
        """
        connection, api = self.connections.get((tenant, platform)), _APIS.get(platform)
        if not (connection and connection.fetch and api and api.listing):
            return []
        return list(dict.fromkeys(str(one) for one in api.listing.threads(body) if one))

    def fetch(self, tenant: str, platform: str, thread: str) -> Any:
        """Fetch a thread, as `readers.from_helpdesk` takes it; ``None`` without messages.

        Parameters
        ----------
        tenant, platform : str
            Whose, and where from.
        thread : str
            The platform's id, out of `to_fetch`.

        Raises
        ------
        TryLaterError, RefusedError
            When it was not given.

        Notes
        -----
        Up to a thousand messages. The next page is asked for at our own address: a
        token never follows a link.
        """
        connection, api = self.connections.get((tenant, platform)), _APIS[platform]
        if not (connection and connection.fetch and api.listing):
            raise RefusedError(f"Nothing is fetched from {platform} for this tenant any more.")
        with self._client(connection, api) as client:
            messages = [*islice(_listed(client, api.listing.pages, {"id": thread}), _MOST_ITEMS)]
        return api.listing.whole(thread, messages) if messages else None

    def _connection(self, tenant: str, platform: str) -> Connection:
        found = self.connections.get((tenant, platform))
        if found is None or found.dry_run:
            raise RefusedError(
                f"Nothing is written to {platform} for this tenant. State it in the file of "
                "CUSTOMER_NLP_WRITE_BACK, with dry_run = false."
            )
        return found

    def _client(self, connection: Connection, api: _Api | None) -> httpx.Client:
        headers = {} if api is None else {api.header: _credentials(api.scheme, connection.token)}
        return httpx.Client(
            base_url=connection.url, headers=headers, timeout=_TIMEOUT_SECONDS,
            transport=self.transport, trust_env=False,
        )  # fmt: skip


def note_text(record: Mapping[str, Any]) -> str:
    """Return the note for an analysis: its actions and their reasons, no words of its own."""
    advice = record["recommendation"]
    by = "" if advice["channel"] in ("same", "none") else f" ({_plain(advice['channel'])})"
    lines = [f"Next: {_plain(advice['primary'] or 'none')}{by}, {advice['timing']}"]
    lines += [
        f"- {_plain(one['action'])}: {'; '.join(one['because'])}" for one in advice["actions"]
    ]
    if advice["avoid"]:
        lines.append(f"Avoid: {', '.join(map(_plain, advice['avoid']))}")
    return "\n".join(lines)


def sign_webhook(secret: str, identifier: str, now: datetime, body: bytes) -> dict[str, str]:
    """Return the headers of a webhook of ours.

    Parameters
    ----------
    secret : str
        ``whsec_`` and base64, or base64 alone.
    identifier : str
        The same each time that this message is sent.
    now : datetime
        Aware.
    body : bytes
        As it is sent.

    Notes
    -----
    Source: https://github.com/standard-webhooks/standard-webhooks, symmetric signatures.
    """
    at = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((identifier.encode(), at.encode(), body))
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": identifier,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{signature}",
    }


def _tables(tables: Any) -> Iterable[tuple[str, Any]]:
    if not isinstance(tables, dict):
        raise _wrong("tables such as [default.zendesk]", "write_back")
    return tables.items()


def _connection(tenant: str, name: str, table: Any, environment: Mapping[str, str]) -> Connection:
    check_tenant(tenant)
    if (name not in _APIS and name != _WEBHOOK) or not isinstance(table, dict):
        raise _wrong(f"tables called {', '.join(_APIS)} or webhook", "write_back")
    allowed = set(Connection.__dataclass_fields__) - {"token"}
    if extra := table.keys() - allowed:
        raise _wrong(f"keys out of {', '.join(sorted(allowed))}, not {len(extra)} others", name)
    given = dict(table)
    dry_run, fetch = given.pop("dry_run", True), given.pop("fetch", False)
    write = given.pop("write", [])
    kinds = _APIS[name].calls if name in _APIS else {}
    if fetch is not False and (fetch is not True or not kinds or not _APIS[name].listing):
        fetched = ", ".join(one for one, api in _APIS.items() if api.listing)
        raise _wrong(f"fetch to be true or false, and true for {fetched} alone", name)
    if not isinstance(dry_run, bool) or not isinstance(write, list) or set(write) - set(kinds):
        raise _wrong(f"dry_run to be true or false, and write to list some of "
                     f"{', '.join(kinds) or 'nothing'}", name)  # fmt: skip
    if not all(isinstance(value, str) for value in given.values()) or not _safe(given.get("url")):
        raise _wrong("words, and an https:// url", name)
    needed = (*_APIS[name].needs, *(["field"] if "field" in write else [])) if kinds else ()
    if missing := [one for one in needed if not given.get(one)]:
        raise _wrong(f"also {', '.join(missing)}", name)
    token = _token(tenant, name, environment)
    return Connection(token=token, write=tuple(write), dry_run=dry_run, fetch=fetch, **given)


def _token(tenant: str, name: str, environment: Mapping[str, str]) -> str:
    whose = "" if tenant == DEFAULT_TENANT else f"{tenant.upper()}__"
    variable = f"CUSTOMER_NLP_TOKEN_{whose}{name.upper().replace('-', '_')}"
    found = named_secrets(variable, environment)
    try:
        token = found[0]
        if name == _WEBHOOK:
            base64.b64decode(token.removeprefix("whsec_"), validate=True)
    except (IndexError, binascii.Error):
        kind = "a base64 secret, which may begin with whsec_" if name == _WEBHOOK else "its token"
        raise InvalidRecordError(
            f"Set {variable} or {variable}_FILE to {kind}.", field=variable
        ) from None
    return token


def _safe(url: object) -> bool:
    if not isinstance(url, str):
        return False
    parts = urlsplit(url)
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and here))


def _wrong(expected: str, where: str) -> InvalidRecordError:
    return InvalidRecordError(f"What is written back needs {expected}.", field=where)


def _job(
    kind: str, platform: str, key: str, payload: Mapping[str, Any], thread: str, *, dry: bool
) -> NewJob:
    return NewJob(kind, platform, key, json.dumps(payload).encode(), thread, dry)


def _without_words(advice: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the customer's words: where to read them, the offsets tell."""
    actions = [
        one | {"evidence": [{k: v for k, v in e.items() if k != "text"} for e in one["evidence"]]}
        for one in advice["actions"]
    ]
    return {**advice, "actions": actions}


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _digest(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()


def _html(text: str) -> str:
    """Escape for platforms that take notes as HTML."""
    for character, code in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, code)
    return text.replace("\n", "<br>")


def _credentials(scheme: str, token: str) -> str:
    if scheme == "Basic":
        return f"Basic {base64.b64encode(token.encode()).decode()}"
    return f"{scheme}{'' if scheme.endswith('=') or not scheme else ' '}{token}"


_BRACES: Final = re.compile(r"\{(\w+)\}")


def _path(template: str, known: Mapping[str, Any]) -> str:
    # An id comes from outside: as one step of a path it can lead nowhere else.
    return _BRACES.sub(lambda m: quote(str(known[m[1]]), safe=""), template)


def _filled(body: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(body, Mapping):
        return {_filled(key, known): _filled(value, known) for key, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, known) for value in body]
    match = _BRACES.fullmatch(body) if isinstance(body, str) else None
    if match is None:
        return body
    value = known[match[1]]
    return _number(value) if match[1] in ("id", "field", "agent") else value


def _number(word: str) -> int | str:
    return int(word) if word.isascii() and word.isdigit() else word


def _fields_there(answer: httpx.Response, key: str) -> dict[str, Any]:
    """Return the fields that an answer holds, by their names or ids."""
    found = _found(answer, key)
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        # Help Scout and FreeScout list objects, empty ones among them.
        return {str(one.get("id")): one["value"] for one in found
                if one.get("value") not in (None, "")}  # fmt: skip
    if isinstance(found, dict):
        return found
    raise _nothing(key)


def _tagged(client: httpx.Client, call: _Call, tag: str, known: Mapping[str, Any]) -> None:
    """Give a thread our tag and take off our earlier one; those of others stay."""
    there = _tags_there(client, call, known)
    old = [name for name in there if name in _OUR_TAGS and name != tag]
    if call.removal is None:
        kept = [name for name in there if name not in old]
        wanted = kept if tag in kept else [*kept, tag]
        if wanted != list(there):
            _carried_out(client, call, {**known, "all": wanted})
        return
    if tag not in there:
        named = {} if call.tag is None else {"tag_id": _tag_id(client, call.tag, tag)}
        _carried_out(client, call, {**known, **named})
    for name in old:
        gone = {**known, "old": name, "old_id": there[name]}
        path, body = _path(call.removal.path, gone), _filled(call.removal.body, gone)
        _asked(client, "DELETE", path, json=body)


def _tags_there(client: httpx.Client, call: _Call, known: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of a thread's tags, with their ids where the platform lists objects."""
    assert call.there is not None  # every platform with tags lists them
    path, key = call.there
    found = _found(_asked(client, "GET", _path(path, known)), key)
    if found is None and call.removal is not None:
        return {}  # to add one no list is needed
    try:
        # Help Scout calls the name "tag"
        objects = [one if isinstance(one, dict) else {"name": str(one)} for one in found]
        return {one["tag" if "tag" in one else "name"]: str(one.get("id")) for one in objects}
    except (KeyError, TypeError):
        raise _nothing(key) from None


def _carried_out(client: httpx.Client, call: _Call, known: Mapping[str, Any]) -> None:
    _asked(client, call.method, _path(call.path, known), json=_filled(call.body, known))


def _found(answer: httpx.Response, key: str) -> Any:
    return _at(_record(answer), key.split("."))


def _nothing(key: str) -> RefusedError:
    return RefusedError(f"The platform's answer has nothing under {key!r}.")


def _tag_id(client: httpx.Client, tag: _NamedTag, name: str) -> str:
    """Return the id of the tag of a name, which is made where it is missing."""
    for one in _listed(client, tag.pages, {}) if tag.pages else ():
        if isinstance(one, dict) and one.get("name") == name and one.get("id"):
            return str(one["id"])
    made = _record(_asked(client, "POST", tag.path, json={"name": name})).get("id")
    if not made:
        raise _nothing("id")
    return str(made)


def _listed(client: httpx.Client, pages: _Pages, known: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the items of all pages; the next one is asked for at our own address."""
    asked = {"limit": "100"}
    for _ in range(_MOST_PAGES):
        page = _record(_asked(client, "GET", _path(pages.path, known), params=asked))
        yield from page.get(pages.items) or []
        after = _at(page, pages.after)
        if not isinstance(after, str) or not after:
            return
        if "?" in after:
            after = parse_qs(urlsplit(after).query).get(pages.page, [""])[0]
        if not after or asked.get(pages.page) == after:
            return
        asked[pages.page] = after


def _rows(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"id": _number(name), "value": value} for name, value in fields.items()]


def _record(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RefusedError("The platform's answer is no JSON object.")
    return found


def _asked(client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
    try:
        answer = client.request(method, path, **options)
    except httpx.HTTPError as error:
        raise TryLaterError(f"no answer: {type(error).__name__}") from None
    if answer.is_success:
        return answer
    reason = f"answered {answer.status_code}"
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise TryLaterError(reason, seconds=_wait(answer.headers.get("Retry-After", "")))
    if answer.status_code == httpx.codes.REQUEST_TIMEOUT or answer.is_server_error:
        raise TryLaterError(reason)
    raise RefusedError(reason)


def _wait(header: str) -> float:
    """Read ``Retry-After``: seconds or a date (RFC 9110, section 10.2.3)."""
    if header.isascii() and header.isdigit():
        seconds = float(header[:9])
    else:
        try:
            moment = parsedate_to_datetime(header)
            seconds = (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            seconds = 60.0
    return min(max(seconds, 1.0), _LONGEST_WAIT_SECONDS)
