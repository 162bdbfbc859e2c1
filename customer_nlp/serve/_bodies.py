"""What may be sent to the service: pydantic at this edge alone, with examples for the OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from customer_nlp.accounts import FACTS
from customer_nlp.codebook import ACTIONS, MAX_GRADE, ROLES

__all__ = ["AnalyzeIn", "FeedbackIn", "OutreachIn", "ReviewIn", "SignalsIn"]

_WORDS: Final = "I have asked three times about the wrong invoice and nobody calls me back."
_LINE = Annotated[str, Field(max_length=300)]
_TEXT = Annotated[str, Field(max_length=500_000)]
_WHEN = AwareDatetime | None
if TYPE_CHECKING:  # a type checker takes no names out of a tuple
    _Role = str
    _Fact = str
    _Action = str
else:
    _Role, _Fact, _Action = Literal[ROLES], Literal[FACTS], Literal[ACTIONS]


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class MessageIn(_Body):
    """One turn."""

    role: _Role
    text: _TEXT
    id: _LINE | None = None
    sent_at: _WHEN = None
    sender: _LINE | None = None
    to: list[_LINE] = Field(default=[], max_length=100)
    cc: list[_LINE] = Field(default=[], max_length=100)
    subject: _LINE | None = None
    channel: _LINE | None = None
    automatic: bool = False
    public: bool = True


class ThreadIn(_Body):
    """The turns of one conversation."""

    id: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    subject: _LINE | None = None
    channel: _LINE | None = None
    messages: list[MessageIn] = Field(min_length=1, max_length=1000)


_THREAD: Final = {
    "id": "4711",
    "subject": "Invoice 20",
    "messages": [
        {"role": "customer", "text": _WORDS, "sent_at": "2026-03-02T09:14:00Z"},
        {"role": "agent", "text": "We will look into it.", "sent_at": "2026-03-02T10:00:00Z"},
    ],
}


def _example(**example: Any) -> ConfigDict:
    return ConfigDict(extra="ignore", json_schema_extra={"examples": [example]})


class AnalyzeIn(_Body):
    """A thread, or one customer message as a text."""

    thread: ThreadIn | _TEXT
    now: _WHEN = None
    model_config = _example(thread=_THREAD, now="2026-03-04T09:00:00Z")


class SignalsIn(_Body):
    """Customer messages, each by itself."""

    texts: list[_TEXT]
    model_config = _example(texts=[_WORDS, "Thank you, it works now."])


class ReviewIn(_Body):
    """A reply of ours before it is sent, and what it answers."""

    draft: _TEXT
    thread: ThreadIn | _TEXT | None = None
    model_config = _example(draft="As per our policy we cannot help you.", thread=_WORDS)


class ContactIn(_Body):
    """A planned contact by us."""

    kind: Literal["sales", "renewal", "survey", "follow_up", "check_in", "service"] = "sales"
    channel: Literal["phone", "email", "sms", "visit"] = "phone"
    at: AwareDatetime
    about: _LINE = ""
    about_at: _WHEN = None
    text: Annotated[str, Field(max_length=5000)] = ""


class FactIn(_Body):
    """One thing known of an account."""

    kind: _Fact
    value: _LINE = ""
    at: _WHEN = None
    source: _LINE | None = None
    expires: _WHEN = None
    start: int | None = Field(None, ge=0)
    end: int | None = Field(None, ge=0)


class MatterIn(_Body):
    """A thread as the account remembers it."""

    id: _LINE = ""
    at: AwareDatetime
    open: bool = False
    frustration: int = Field(0, ge=0, le=MAX_GRADE)
    churn_risk: int = Field(0, ge=0, le=MAX_GRADE)
    about: Annotated[str, Field(max_length=5000)] = ""


class AccountIn(_Body):
    """What is known of a customer."""

    id: _LINE = "account"
    timezone: _LINE | None = None
    owns: list[_LINE] = Field(default=[], max_length=1000)
    facts: list[FactIn] = Field(default=[], max_length=1000)
    threads: list[MatterIn] = Field(default=[], max_length=1000)
    contacts: list[ContactIn] = Field(default=[], max_length=1000)


class OutreachIn(_Body):
    """A planned contact, and whom it is for."""

    planned: ContactIn
    account: AccountIn
    model_config = _example(
        planned={"kind": "sales", "channel": "phone", "at": "2026-03-04T10:00:00Z"},
        account={"threads": [{"at": "2026-03-02T09:14:00Z", "open": True, "frustration": 2}]},
    )


class FeedbackIn(_Body):
    """Whether a recommendation was right, and what was done."""

    thread: Annotated[str, Field(min_length=1, max_length=300)]
    after: _LINE = ""
    verdict: Literal["agree", "disagree"]
    done: list[_Action] = Field(default=[], max_length=len(ACTIONS))
    comment: str = Field("", max_length=2000)
    model_config = _example(
        thread="zendesk/4711", after="9", verdict="disagree", done=["explain_invoice"]
    )
