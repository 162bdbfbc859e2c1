"""What helpdesks send: one row a platform, as data for the engine in ``_helpdesk``.

A path names a place in the payload: keys and list positions between dots, ``/`` first for the
whole payload instead of the message at hand, ``list[key=value]`` for the entries of a list,
``id>key`` for a key of the person with that id, ``|`` between alternatives, best first.

Sources: the vendors' API references and, where these are silent, code that reads the payloads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

__all__ = ["PLATFORMS", "Platform", "Rule", "Shape", "Turns"]


class Rule(NamedTuple):
    """What a value means; the first rule that knows its value decides.

    ``*`` stands for every other value (but not for a missing one) and an empty word for "ask the
    next rule". A value is compared in lower case, or by its first two characters.
    """

    path: str
    words: Mapping[str, str]
    if_empty: bool = False  # only for messages without words


@dataclass(frozen=True, slots=True)
class Turns:
    """Where the messages of a payload are, and how one is read."""

    at: str  # a list or one object; "" is the payload
    text: str = ""
    html: str = ""
    preview: str = ""  # cut by the platform
    id: str = "id"
    constant_id: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)  # field of `Message` to path
    role: tuple[Rule, ...] = ()
    same: tuple[str, str] | None = None  # the customer's where both are one person
    visible: tuple[Rule, ...] = ()  # to "public" or "internal"; none: always public
    markup: Rule | None = None
    truncated: Rule | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """One form of payload."""

    has: tuple[str, ...]  # "path", "path=value" or "path^=beginning"; all of them
    thread: str = ""
    subject: str = ""
    channel: str = ""
    turns: tuple[Turns, ...] = ()  # none: an event without words
    people: str = ""
    prepare: Callable[[Any], Any] | None = None
    telling: tuple[str, ...] | None = ()  # what else no other program writes; None: nothing does


@dataclass(frozen=True, slots=True)
class Platform:
    """One helpdesk."""

    shapes: tuple[Shape, ...]
    envelopes: tuple[str, ...] = ()  # lists of payloads in an export
    channels: Mapping[str, str] = field(default_factory=dict)


_CUSTOMER: Final = {"true": "customer", "false": "agent"}
_AGENT: Final = {"true": "agent", "false": "customer"}
_PUBLIC: Final = {"true": "public", "false": "internal"}
_PRIVATE: Final = {"true": "internal", "false": "public"}
_HIDDEN: Final = (Rule("", {"*": "internal"}),)

# -- Zendesk: https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/ ----

_ZENDESK_ROLES: Final = {
    "end-user": "customer", "end_user": "customer", "agent": "agent", "admin": "agent",
    "trigger": "bot", "bot": "bot", "system": "system",
}  # fmt: skip


def _zendesk_comments(ticket: str) -> Turns:
    return Turns(
        at="comments",
        text="plain_body|body",
        html="html_body",
        fields={
            "sent_at": "created_at",
            "channel": f"via.channel|/{ticket}via.channel",
            "sender": "author_id>email|author_id>name|author.email|author.name",
            "cc": f"/{ticket}email_cc_ids>email|/{ticket}collaborator_ids>email",
        },
        role=(
            Rule("author_id", {"-1": "system"}),
            Rule("author_id>role|author.role", _ZENDESK_ROLES),
        ),
        same=("author_id", f"/{ticket}requester_id|/{ticket}requester.id"),
        visible=(Rule("public", _PUBLIC),),
    )


def _zendesk_event(kind: str, turns: Turns) -> Shape:
    return Shape(
        has=(f"type=zen:event-type:{kind}",),
        thread="detail.id|event.conversation_id",
        subject="detail.subject",
        channel="detail.via.channel",
        turns=(turns,),
    )


def _zendesk_export(ticket: str, has: tuple[str, ...]) -> Shape:
    return Shape(
        has=has,
        thread=f"{ticket}id",
        subject=f"{ticket}subject",
        channel=f"{ticket}via.channel",
        turns=(_zendesk_comments(ticket),),
        people="users",
        telling=("comments.0.author_id", "comments.0.public"),
    )


_ZENDESK: Final = Platform(
    shapes=(
        _zendesk_event(
            "ticket.comment_added",
            Turns(
                at="event.comment",
                text="body",
                fields={"sent_at": "/time", "sender": "author.name"},
                role=(Rule("author.id", {"-1": "system"}), Rule("author.is_staff", _AGENT)),
                visible=(Rule("is_public", _PUBLIC),),
            ),
        ),
        _zendesk_event(
            "messaging_ticket.message_added",
            Turns(
                at="event.message",
                text="body",
                fields={"sent_at": "/time", "sender": "/event.actor.name"},
                role=(Rule("/event.actor.type", _ZENDESK_ROLES),),
            ),
        ),
        _zendesk_event(
            "ticket.created",
            Turns(
                at="detail",
                text="description",
                constant_id="description",
                fields={"sent_at": "created_at"},
                same=("submitter_id", "requester_id"),
                visible=(Rule("is_public", _PUBLIC),),
            ),
        ),
        Shape(has=("type^=zen:event-type:",)),
        _zendesk_export("ticket.", ("comments", "ticket")),
        _zendesk_export("", ("comments", "requester_id|requester")),
    ),
    envelopes=("tickets", "results"),
    channels={
        "web": "web",
        "voice": "call",
        "native_messaging": "chat",
        "messaging": "chat",
        "sample_ticket": "web",
    },
)

# -- Freshdesk: https://developers.freshdesk.com/api/#conversations -----------------------------


def _freshdesk_comment(payload: Any) -> Any:
    """Part the latest comment, which the simple webhook gives as ``Name : <html>``."""
    hook = payload.get("freshdesk_webhook") if isinstance(payload, dict) else None
    if not isinstance(hook, dict):
        return payload
    comment = hook.get("ticket_latest_public_comment")
    if not isinstance(comment, str) or " : " not in comment:
        return payload
    name, _, words = comment.partition(" : ")
    customer = name.strip() == str(hook.get("ticket_requester_name", "")).strip()
    parted = {"text": words, "author": name.strip(), "by_customer": customer}
    return payload | {"comment": parted}


_FRESHDESK: Final = Platform(
    shapes=(
        Shape(
            has=("freshdesk_webhook",),
            thread="freshdesk_webhook.ticket_id",
            subject="freshdesk_webhook.ticket_subject",
            channel="freshdesk_webhook.ticket_source",
            prepare=_freshdesk_comment,
            turns=(
                Turns(
                    at="freshdesk_webhook",
                    html="ticket_description",
                    constant_id="description",
                    fields={
                        "sent_at": "ticket_created_at",
                        "sender": "ticket_requester_email|ticket_requester_name",
                    },
                    role=(Rule("", {"*": "customer"}),),
                ),
                Turns(
                    at="comment",
                    html="text",
                    fields={"sent_at": "/freshdesk_webhook.ticket_updated_at", "sender": "author"},
                    role=(Rule("by_customer", _CUSTOMER),),
                    optional=True,
                ),
            ),
        ),
        Shape(
            has=("conversations", "description_text|description"),
            thread="id",
            subject="subject",
            channel="source",
            turns=(
                Turns(
                    at="",
                    text="description_text",
                    html="description",
                    constant_id="description",
                    fields={
                        "sent_at": "created_at",
                        "sender": "requester.email|requester.name",
                        "to": "to_emails",
                        "cc": "cc_emails",
                    },
                    role=(Rule("source", {"10": "agent", "*": "customer"}),),
                ),
                Turns(
                    at="conversations",
                    text="body_text",
                    html="body",
                    fields={
                        "sent_at": "created_at",
                        "sender": "from_email",
                        "to": "to_emails",
                        "cc": "cc_emails",
                    },
                    role=(Rule("incoming", _CUSTOMER),),
                    visible=(Rule("private", _PRIVATE),),
                ),
            ),
            telling=None,
        ),
    ),
    envelopes=("results", "tickets"),
    channels={
        "1": "email", "2": "web", "3": "call", "7": "chat", "9": "web", "10": "email",
        "portal": "web", "phone": "call", "feedback widget": "web", "outbound email": "email",
    },
)  # fmt: skip

# -- Intercom: https://developers.intercom.com/docs/references/rest-api/api.intercom.io ----------

_INTERCOM_AUTHORS: Final = (
    Rule("author.from_ai_agent", {"true": "bot"}),
    Rule(
        "author.type",
        {
            "user": "customer", "lead": "customer", "contact": "customer", "visitor": "customer",
            "admin": "agent", "team": "agent", "teammate": "agent", "bot": "bot",
            "operator": "bot", "system": "system",
        },
    ),
)  # fmt: skip


def _intercom(prefix: str, has: tuple[str, ...]) -> Shape:
    sender = {"sent_at": "created_at", "sender": "author.email|author.name"}
    return Shape(
        has=has,
        thread=f"{prefix}id",
        subject=f"{prefix}title|{prefix}source.subject",
        channel=f"{prefix}source.type",
        turns=(
            Turns(
                at=f"{prefix}source",
                html="body",
                fields=sender | {"sent_at": f"/{prefix}created_at", "subject": "subject"},
                role=_INTERCOM_AUTHORS,
            ),
            Turns(
                at=f"{prefix}conversation_parts.conversation_parts",
                html="body",
                fields=sender,
                role=(
                    # Assignments, closings and the like are events, unless somebody wrote with it.
                    Rule("part_type", {"comment": "", "note": "", "*": "system"}, if_empty=True),
                    *_INTERCOM_AUTHORS,
                ),
                visible=(
                    Rule(
                        "part_type",
                        {"note": "internal", "note_and_reopen": "internal", "*": "public"},
                    ),
                ),
                optional=True,
            ),
        ),
    )


_INTERCOM: Final = Platform(
    shapes=(
        _intercom("data.item.", ("type=notification_event", "topic^=conversation")),
        Shape(has=("type=notification_event",)),
        _intercom("", ("type=conversation", "source")),
    ),
    envelopes=("conversations", "data"),
    channels={"conversation": "chat", "phone_call": "call", "phone_switch": "call", "push": "chat"},
)

# -- HubSpot: https://developers.hubspot.com/docs/api-reference/conversations -------------------


def _hubspot(at: str, thread: str, has: tuple[str, ...]) -> Shape:
    return Shape(
        has=has,
        thread=thread,
        turns=(
            Turns(
                at=at,
                text="text",
                html="richText",
                fields={
                    "sent_at": "createdAt",
                    "subject": "subject",
                    "sender": "senders.0.deliveryIdentifier.value|senders.0.name",
                    "to": "recipients[recipientField=TO].deliveryIdentifier.value",
                    "cc": "recipients[recipientField=CC].deliveryIdentifier.value",
                    "refers_to": "inReplyToId",
                },
                role=(
                    Rule("type", {"message": "", "comment": "agent", "welcome_message": "bot",
                                  "*": "system"}),
                    # Bots and language models speak for the company.
                    Rule("senders.0.actorId|createdBy", {"b-": "bot", "l-": "bot", "s-": "system"}),
                    Rule("direction", {"incoming": "customer", "outgoing": "agent"}),
                    Rule("senders.0.actorId", {"a-": "agent", "v-": "customer", "e-": "customer"}),
                ),
                visible=(Rule("type", {"comment": "internal", "*": "public"}),),
                truncated=Rule("truncationStatus", {"not_truncated": "", "*": "truncated"}),
            ),
        ),
    )  # fmt: skip


_HUBSPOT: Final = Platform(
    shapes=(
        Shape(has=("0.subscriptionType",)),
        Shape(has=("subscriptionType", "objectId")),
        _hubspot(
            "results",
            "results.0.conversationsThreadId",
            ("results", "results.0.conversationsThreadId"),
        ),
        _hubspot("messages", "id", ("messages.0.conversationsThreadId",)),
        _hubspot("", "conversationsThreadId", ("conversationsThreadId", "type", "createdAt")),
    ),
    envelopes=("results",),
)

# -- Help Scout: https://developer.helpscout.com/webhooks/objects/conversation ------------------
# FreeScout sends the same conversation: https://api-docs.freescout.net

_SCOUT_THREADS: Final = Turns(
    at="_embedded.threads|threads",
    html="body",
    fields={
        "sent_at": "createdAt",
        "sender": "createdBy.email|customer.email|createdBy.firstName",
        "to": "to",
        "cc": "cc",
    },
    role=(
        Rule(
            "type",
            {
                "customer": "customer", "message": "agent", "reply": "agent", "note": "agent",
                "lineitem": "system",
            },
        ),
        Rule("createdBy.type", {"customer": "customer", "user": "agent", "system": "system"}),
    ),
    visible=(
        Rule("state", {"draft": "internal", "hidden": "internal", "underreview": "internal"}),
        Rule("type", {"note": "internal", "forwardchild": "internal", "*": "public"}),
    ),
)  # fmt: skip
_SCOUT_CONVERSATION: Final = Shape(
    has=("_embedded.threads",),
    thread="id",
    subject="subject",
    channel="type",
    turns=(_SCOUT_THREADS,),
)
_SCOUT: Final = Platform(
    shapes=(
        _SCOUT_CONVERSATION,
        replace(_SCOUT_CONVERSATION, has=("threads.0.type",), telling=None),
    ),
    envelopes=("_embedded.conversations", "items"),
    channels={"phone": "call"},
)

# -- Front: https://dev.frontapp.com/reference/events -------------------------------------------

_FRONT_MESSAGE: Final = Turns(
    at="messages",
    text="text",
    html="body",
    preview="blurb",
    fields={
        "sent_at": "created_at",
        "subject": "subject",
        "channel": "type",
        "sender": "recipients[role=from].handle|author.email",
        "to": "recipients[role=to].handle",
        "cc": "recipients[role=cc].handle",
    },
    role=(Rule("is_inbound", _CUSTOMER),),
    visible=(Rule("draft_mode", {"null": "public", "*": "internal"}), Rule("", {"*": "public"})),
)
_FRONT_COMMENT: Final = Turns(
    at="comments",
    text="body",
    fields={"sent_at": "posted_at|created_at", "sender": "author.email"},
    role=(Rule("", {"*": "agent"}),),
    visible=_HIDDEN,
    optional=True,
)


def _front_event(prefix: str) -> tuple[Shape, ...]:
    data = f"{prefix}target.data"
    known: dict[str, Any] = {
        "thread": f"{prefix}conversation.id",
        "subject": f"{prefix}conversation.subject",
    }
    bounce = Turns(
        at=data,
        text="metadata.error.message|error_type|metadata.error_type",
        id=f"/{prefix}id",
        fields={"sent_at": f"/{prefix}emitted_at", "refers_to": "id", "channel": "type"},
        role=(Rule("", {"*": "system"}),),
    )
    message = replace(_FRONT_MESSAGE, at=data)
    comment = replace(_FRONT_COMMENT, at=data, optional=False)
    is_event = f"{prefix}id^=evt_"
    of = f"{prefix}target._meta.type"
    return (
        Shape((is_event, f"{prefix}type=message_bounce_error"), turns=(bounce,), **known),
        Shape((is_event, f"{prefix}type=sending_error"), turns=(bounce,), **known),
        Shape((is_event, f"{of}=message"), turns=(message,), **known),
        Shape((is_event, f"{of}=comment"), turns=(comment,), **known),
        Shape((is_event,)),
    )


_FRONT: Final = Platform(
    shapes=(
        *_front_event("payload."),
        *_front_event(""),
        Shape(has=("type=sync", "authorization")),
        Shape(
            has=("id^=cnv_", "messages"),
            thread="id",
            subject="subject",
            turns=(_FRONT_MESSAGE, _FRONT_COMMENT),
            telling=("messages.0.is_inbound",),
        ),
    ),
    envelopes=("_results",),
    channels={"front_chat": "chat", "intercom": "chat", "phone-call": "call", "custom": "custom"},
)

# -- Gorgias: https://developers.gorgias.com/reference/the-ticketmessage-object -----------------


def _gorgias(prefix: str, at: str, has: tuple[str, ...]) -> Shape:
    return Shape(
        has=has,
        thread="ticket_id" if not at else f"{prefix}id",
        subject=f"{prefix}subject",
        channel=f"{prefix}channel",
        turns=(
            Turns(
                at=at,
                text="body_text",
                html="body_html",
                preview="stripped_text",
                fields={
                    "sent_at": "sent_datetime|created_datetime",
                    "subject": "subject",
                    "channel": "channel",
                    "sender": "source.from.address|sender.email",
                    "to": "source.to.address",
                    "cc": "source.cc.address",
                },
                role=(
                    Rule("rule_id", {"null": "", "*": "bot"}),
                    Rule("from_agent", _AGENT),
                ),
                visible=(Rule("public", _PUBLIC),),
            ),
        ),
        telling=((f"{at}.0." if at.endswith("messages") else f"{at}.").lstrip(".") + "from_agent",),
    )


_GORGIAS: Final = Platform(
    shapes=(
        _gorgias("ticket.", "ticket.messages", ("ticket.messages",)),
        _gorgias("ticket.", "message", ("ticket", "message")),
        _gorgias("", "messages", ("messages", "messages_count|created_datetime")),
        _gorgias("", "", ("ticket_id", "body_text|body_html", "created_datetime")),
    ),
    envelopes=("data",),
    channels={"phone": "call", "internal-note": "note"},
)

# -- Chatwoot: https://developers.chatwoot.com, app/models/message.rb ---------------------------


def _chatwoot(at: str, thread: str, has: tuple[str, ...], telling: tuple[str, ...] = ()) -> Shape:
    conversation = "" if thread == "id" else "conversation."
    return Shape(
        has=has,
        thread=thread,
        channel=f"{conversation}channel|{conversation}meta.channel",
        turns=(
            Turns(
                at=at,
                text="content",
                fields={"sent_at": "created_at", "sender": "sender.email|sender.name"},
                role=(
                    Rule("message_type", {"incoming": "customer", "0": "customer",
                                          "activity": "system", "2": "system",
                                          "template": "bot", "3": "bot"}),
                    Rule("sender.type|sender_type", {"agent_bot": "bot", "agentbot": "bot",
                                                     "captain::assistant": "bot"}),
                    Rule("message_type", {"outgoing": "agent", "1": "agent"}),
                ),
                visible=(Rule("private", _PRIVATE),),
            ),
        ),
        telling=telling,
    )  # fmt: skip


_CHATWOOT: Final = Platform(
    shapes=(
        _chatwoot("", "conversation.id", ("event^=message_", "account")),
        _chatwoot("messages", "id", ("event^=conversation_", "messages.0")),
        Shape(has=("event", "account|inbox|conversation|contact_inbox|meta"), telling=None),
        _chatwoot("messages", "id", ("messages", "inbox_id"), ("messages.0.message_type",)),
        _chatwoot("payload", "payload.0.conversation_id", ("payload.0.message_type",)),
    ),
    envelopes=("data.payload",),
    channels={
        "channel::email": "email", "channel::webwidget": "chat", "channel::api": "chat",
        "channel::whatsapp": "whatsapp", "channel::sms": "sms", "channel::twiliosms": "sms",
        "channel::facebookpage": "facebook", "channel::instagram": "instagram",
        "channel::twitterprofile": "twitter", "channel::telegram": "telegram",
        "channel::line": "line",
    },
)  # fmt: skip

# -- Zammad: https://admin-docs.zammad.org/en/latest/manage/webhook.html ------------------------


def _zammad(at: str, first: str) -> Shape:
    return Shape(
        has=("ticket", at),
        telling=(f"{first}.sender", f"{first}.internal"),
        thread="ticket.id",
        subject="ticket.title",
        channel="ticket.create_article_type",
        turns=(
            Turns(
                at=at,
                text="body",
                fields={
                    "sent_at": "created_at",
                    "subject": "subject",
                    "channel": "type",
                    "sender": "from",
                    "to": "to",
                    "cc": "cc",
                    "refers_to": "in_reply_to",
                },
                role=(
                    Rule("sender|sender.name",
                         {"customer": "customer", "agent": "agent", "system": "system"}),
                ),
                visible=(Rule("internal", _PRIVATE),),
                markup=Rule("content_type", {"text/html": "html"}),
            ),
        ),
    )  # fmt: skip


_ZAMMAD: Final = Platform(
    shapes=(_zammad("article", "article"), _zammad("articles", "articles.0")),
    envelopes=("tickets",),
    channels={"phone": "call", "web": "web", "note": "note"},
)

# -- django-helpdesk: helpdesk/webhooks.py, helpdesk/serializers.py -----------------------------


def _django(prefix: str, has: tuple[str, ...]) -> Shape:
    return Shape(
        has=has,
        thread=f"{prefix}id",
        subject=f"{prefix}title",
        turns=(
            Turns(
                at=prefix.rstrip("."),
                text="description",
                constant_id="description",
                fields={"sent_at": "created", "sender": "submitter_email"},
                role=(Rule("", {"*": "customer"}),),
            ),
            Turns(
                at=f"{prefix}followup_set",
                text="comment",
                fields={"sent_at": "date"},
                # A follow-up without a user came by mail or from the public page.
                role=(Rule("user", {"null": "customer", "*": "agent"}),),
                visible=(Rule("public", _PUBLIC),),
                optional=True,
            ),
        ),
    )


_DJANGO: Final = Platform(
    shapes=(
        _django("ticket.", ("ticket", "queue_slug")),
        _django("", ("followup_set", "queue")),
    ),
    envelopes=("results",),
)

PLATFORMS: Final[Mapping[str, Platform]] = {
    "zendesk": _ZENDESK,
    "freshdesk": _FRESHDESK,
    "intercom": _INTERCOM,
    "hubspot": _HUBSPOT,
    "helpscout": _SCOUT,
    "front": _FRONT,
    "gorgias": _GORGIAS,
    "chatwoot": _CHATWOOT,
    "zammad": _ZAMMAD,
    "freescout": _SCOUT,
    "django-helpdesk": _DJANGO,
}
