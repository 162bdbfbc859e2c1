"""What a reply looks like beside the thread that it answers, as one row of numbers."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from customer_nlp.actions import HIDDEN_WIDTH
from customer_nlp.codebook import CORE_SIGNALS, CUES, FINDINGS, MAX_GRADE
from customer_nlp.records import Conflict, Evidence
from customer_nlp.review._phrases import ASKING, QUESTIONS, RULES, THINGS, TOGETHER
from customer_nlp.signals import ScoredMessage
from customer_nlp.text import DIGIT_KEY, Rule, RuleTable, sentences, word_keys

__all__ = [
    "FEATURES",
    "HITS",
    "PHRASE_ROWS",
    "Context",
    "Reply",
    "Sentence",
    "asked",
    "logit",
    "most_similar",
    "phrases",
    "renumbered",
    "vector",
]

Floats = npt.NDArray[np.float32]

#: Characters and sentences of a message, and sentences of a thread, that are read one by one.
MAX_CHARS: Final = 6000
MAX_SENTENCES: Final = 24
MAX_REMEMBERED: Final = 60
#: Buckets of words, pairs and triples of a reply.
PHRASE_ROWS: Final = 8192
_SAID: Final = (
    *(f"{name}>={grade}" for name in CORE_SIGNALS for grade in range(1, MAX_GRADE + 1)),
    *CUES,
)
_CLASHES: Final = ("reason", "state", "amount", "date")
_EPSILON: Final = 1e-4
_STEM_CHARS: Final = 5
_STOP: Final = frozenset({
    "the", "and", "but", "for", "with", "from", "are", "was", "were", "been", "does", "did",
    "have", "has", "had", "its", "this", "that", "these", "those", "there", "here", "you",
    "she", "they", "him", "her", "them", "our", "your", "his", "their", "will", "would",
    "shall", "should", "can", "could", "may", "might", "must", "not", "then", "than", "just",
    "only", "also", "please", "still", "any", "some", "what", "which", "who", "why", "when",
    "where", "how", "much", "many", "one", "again", "now", "get", "got", "tell", "know", "mean",
    "say", "said", "dear", "hello", "hi", "thank", "thanks", "sorry", "about", "into", "out",
    "all", "very", "per", "via",
})  # fmt: skip
_WORD: Final = re.compile(r"[^\W\d_]{3,40}")
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_DIGIT: Final = re.compile(r"\d")
_PIECE: Final = re.compile(r"[\w']{2,40}|[?!.:£$€%]")
_NEGATION: Final = Rule(
    r"\b(?:not?|never|none|nothing|nobody|without|cannot|unable|\w{2,5}n['’]t|isnt|wont|dont)\b"
)


@dataclass(frozen=True, slots=True, repr=False)
class Sentence:
    """One sentence of a message, in lower case and with its words cut to stems."""

    evidence: Evidence
    text: str
    keys: frozenset[str]
    stems: frozenset[str]
    numbers: frozenset[str]
    denied: bool


def _read(scored: ScoredMessage) -> list[Sentence]:
    text = scored.text[:MAX_CHARS]
    ranges = sentences(text)[:MAX_SENTENCES]
    name = scored.message.id
    spans = [Evidence(start, end, text[start:end], name) for start, end in ranges]
    return [_sentence(one) for one in scored.relocated(spans)]


def _sentence(evidence: Evidence) -> Sentence:
    text = evidence.text.lower()
    keys = word_keys(text)
    return Sentence(
        evidence,
        text,
        keys,
        frozenset([word[:_STEM_CHARS] for word in _WORD.findall(text) if word not in _STOP]),
        frozenset(map(_plain, _NUMBER.findall(text))) if DIGIT_KEY in keys else frozenset(),
        _NEGATION.found(text, keys),
    )


def _plain(number: str) -> str:
    return number.removesuffix(".00").replace(",", "")


def asked(found: Sequence[Sentence]) -> Iterator[tuple[str, Sentence]]:
    """Yield what sentences of ours ask for, from `THINGS`, with the sentence."""
    for one in found:
        if ASKING.found(one.text, one.keys):
            yield from ((_THINGS[i], one) for i in _ASKS.matching(one.text, one.keys))


def most_similar(one: Sentence, others: Sequence[Sentence]) -> tuple[float, Sentence | None]:
    """Return how like a sentence is to the most similar of others (0 to 1), and that one."""
    best, at = 0.0, None
    for other in others:
        common = len(one.stems & other.stems)
        if common:
            total = len(one.stems) + len(other.stems) - common
            share = common / total**0.7
            if share > best:
                best, at = share, other
    return min(best, 1.0), at


@dataclass(slots=True, repr=False)
class Context:
    """What was said before a reply; taking a message into account costs its own length.

    Parameters
    ----------
    channel : str, optional
        ``email``, ``chat``, ``call``, … as the source gives it.
    """

    channel: str | None = None
    said: Floats = field(default_factory=lambda: np.zeros(len(_SAID), np.float32))
    before: Floats = field(default_factory=lambda: np.zeros(len(_SAID), np.float32))
    wording: Floats = field(default_factory=lambda: np.zeros(HIDDEN_WIDTH, np.float32))
    customer: list[Sentence] = field(default_factory=list)
    ours: list[Sentence] = field(default_factory=list)
    last: list[Sentence] = field(default_factory=list)
    given: dict[str, Evidence] = field(default_factory=dict)
    wanted: dict[str, Evidence] = field(default_factory=dict)
    customer_turns: int = 0
    agent_turns: int = 0
    replied: bool = False

    @property
    def questions(self) -> list[Sentence]:
        """The questions of the customer's last turn."""
        return [one for one in self.last if one.text.rstrip("\"' )”").endswith("?")]

    def add(self, scored: ScoredMessage, reply: Reply | None = None) -> None:
        """Take one more message into account; `reply` where it was read as one already."""
        message = scored.message
        if message.role == "system" or message.automatic or not message.public:
            return
        found = _read(scored) if reply is None else reply.sentences
        if message.role == "agent":
            self.agent_turns += 1
            self.replied = True
            self.ours = (self.ours + found)[-MAX_REMEMBERED:]
            for name, one in asked(found) if reply is None else reply.asked:
                self.wanted.setdefault(name, one.evidence)
            return
        self.customer_turns += 1
        self.customer = (self.customer + found)[-MAX_REMEMBERED:]
        self.last = found if self.replied else (self.last + found)[-MAX_REMEMBERED:]
        self.replied = False
        for one in found:
            for i in _GIVES.matching(one.text, one.keys):
                self.given.setdefault(_THINGS[i], one.evidence)
        if scored.scores is not None:
            self.before = np.maximum(self.before, self.said)
            self.said = np.concatenate([scored.scores.graded[0], scored.scores.cues[0]])
            self.wording = scored.scores.hidden[0]


@dataclass(slots=True, repr=False)
class Reply:
    """A reply of ours and its sentences.

    Parameters
    ----------
    scored : ScoredMessage
        With scores.
    sentences : list of Sentence
        At most `MAX_SENTENCES`.
    hits : ndarray of shape (n_sentences, len(HITS))
        Which phrases each sentence holds.
    asked : list of (str, Sentence)
        What it asks for.
    alone : ndarray of shape (n_sentences, 10)
        P(finding) of each sentence by itself, once they are scored.
    """

    scored: ScoredMessage
    sentences: list[Sentence]
    hits: npt.NDArray[np.bool_]
    asked: list[tuple[str, Sentence]]
    alone: Floats = field(default_factory=lambda: np.zeros((0, len(FINDINGS)), np.float32))

    @classmethod
    def of(cls, scored: ScoredMessage) -> Reply:
        """Read a reply sentence by sentence."""
        found = _read(scored)
        single = np.zeros((len(found), len(RULES)), bool)
        for row, one in enumerate(found):
            single[row, _PHRASES.matching(one.text, one.keys)] = True
        both = single[:, _FIRST] & single[:, _SECOND]
        hits = np.concatenate([single, both], axis=1)
        return cls(scored, found, hits, list(asked(found)))


_PHRASES: Final = RuleTable(RULES)
_THINGS: Final = tuple(THINGS)
_ASKS: Final = RuleTable({name: asks for name, (asks, _) in THINGS.items()})
_GIVES: Final = RuleTable({name: gives for name, (_, gives) in THINGS.items()})
_RULE_AT: Final = {name: i for i, name in enumerate(RULES)}
_FIRST, _SECOND = ([_RULE_AT[pair[side]] for pair in TOGETHER] for side in (0, 1))
#: Columns of `Reply.hits`.
HITS: Final = (*RULES, *("+".join(pair) for pair in TOGETHER))


def vector(reply: Reply, context: Context, clashes: Sequence[Conflict]) -> Floats:
    """Return the features of a reply, in the order of `FEATURES`.

    Parameters
    ----------
    reply : Reply
        What is judged, its sentences scored.
    context : Context
        What was said before.
    clashes : sequence of Conflict
        Statements of the reply that do not fit earlier ones of ours.
    """
    whole = reply.scored.scores
    assert whole is not None  # replies without scores are not judged
    blocks = [
        logit(whole.findings[0]),
        reply.hits.any(axis=0),
        reply.hits.sum(axis=0) / max(len(reply.hits), 1),
        context.said,
        context.before,
        list(_named(reply.sentences, reply.asked, context, clashes).values()),
        whole.hidden[0],
        context.wording,
        logit(reply.alone).max(axis=0),
    ]
    return np.concatenate([np.asarray(block, np.float32) for block in blocks])


def logit(p: Floats) -> Floats:
    """Return log-odds, held within ±9.2."""
    # not np.clip: for a few numbers its way to the same two steps takes most of the time
    p = np.minimum(np.maximum(p, np.float32(_EPSILON)), np.float32(1 - _EPSILON))
    return np.asarray(np.log(p / (1 - p)), np.float32)


def phrases(text: str) -> npt.NDArray[np.intp]:
    """Return the buckets of a reply's words, pairs and triples, without repetition, sorted."""
    pieces = _PIECE.findall(_DIGIT.sub("0", text[:MAX_CHARS].lower()))
    following = [b" " + piece.encode() for piece in pieces]
    # the sum of a run goes on from that of the run without its last piece
    ones = [zlib.crc32(piece.encode()) for piece in pieces]
    pairs = list(map(zlib.crc32, following[1:], ones))
    triples = map(zlib.crc32, following[2:], pairs)
    filled = np.zeros(PHRASE_ROWS, bool)
    filled[np.array([*ones, *pairs, *triples], np.intp) % PHRASE_ROWS] = True
    return np.flatnonzero(filled)


#: For ours and the customer's sentences: how like each of a reply's is to one, and to which.
_Like = dict[str, list[tuple[float, Sentence | None]]]


def _named(
    found: Sequence[Sentence],
    wanted: Sequence[tuple[str, Sentence]],
    context: Context,
    clashes: Sequence[Conflict],
) -> dict[str, float]:
    like = {
        "ours": [most_similar(one, context.ours) for one in found],
        "customer": [most_similar(one, context.customer) for one in found],
    }
    return (
        _form(found, context)
        | _touch(found, context)
        | _missed(found, context)
        | _again(found, {name for name, _ in wanted}, context, like)
        | _against(found, clashes, like)
    )


def _form(found: Sequence[Sentence], context: Context) -> dict[str, float]:
    words = _stems(found)
    last = _stems(context.last)
    return {
        "size.words": float(np.log1p(len(words))),
        "size.sentences": float(np.log1p(len(found))),
        "size.questions": float(sum("?" in one.text for one in found)),
        "size.exclaims": float(min(sum("!" in one.text for one in found), 4)),
        "size.numbers": float(min(len(_numbers(found)), 8)),
        "size.last": float(np.log1p(len(last))),
        "size.asked": float(min(len(context.questions), 4)),
        "size.shorter": float(len(words) < 0.3 * len(last)),
        "thread.first": float(context.customer_turns == 1),
        "thread.none": float(context.customer_turns == 0),
        "thread.customer_turns": float(np.log1p(context.customer_turns)),
        "thread.agent_turns": float(np.log1p(context.agent_turns)),
        "thread.second_reply": float(context.replied),
        "thread.by_chat": float(context.channel == "chat"),
        "thread.by_call": float(context.channel == "call"),
    }


def _touch(found: Sequence[Sentence], context: Context) -> dict[str, float]:
    """Say how far the reply takes up the customer's words and numbers."""
    words, last, customer = _stems(found), _stems(context.last), _stems(context.customer)
    questions = _stems(context.questions)
    numbers, theirs = _numbers(found), _numbers(context.customer)
    ours = _numbers(context.ours)
    return {
        "touch.last": len(words & last) / max(len(words), 1),
        "touch.covered": len(words & last) / max(len(last), 1),
        "touch.customer": len(words & customer) / max(len(words), 1),
        "touch.asked": len(words & questions) / max(len(questions), 1),
        "touch.none": float(not words & last),
        "touch.numbers": float(bool(numbers & theirs)),
        "touch.new_numbers": float(min(len(numbers - theirs - ours), 5)),
        "touch.our_numbers": float(bool(numbers & ours)),
        "touch.number_absent": float(bool(theirs) and not numbers & theirs),
    }


def _missed(found: Sequence[Sentence], context: Context) -> dict[str, float]:
    """Say which kinds of question were asked, and which of them the reply brings no answer to."""
    question = " ".join(one.text for one in context.questions)
    keys = word_keys(question)
    text = " ".join(one.text for one in found)
    out = {}
    for name, (asks, answers) in QUESTIONS.items():
        wanted = asks.found(question, keys)
        out[f"asked.{name}"] = float(wanted)
        out[f"missed.{name}"] = float(wanted and answers.search(text) is None)
    return out


def _again(
    found: Sequence[Sentence], wanted: set[str], context: Context, like: _Like
) -> dict[str, float]:
    """Say what the reply asks for, and whether it was given or asked for before."""
    out = {}
    for name in THINGS:
        out[f"wants.{name}"] = float(name in wanted)
        out[f"given.{name}"] = float(name in wanted and name in context.given)
        out[f"asked_before.{name}"] = float(name in wanted and name in context.wanted)
    out["given.any"] = float(any(out[f"given.{name}"] for name in THINGS))
    asking = [i for i, one in enumerate(found) if ASKING.found(one.text, one.keys)]
    for name in ("customer", "ours"):
        out[f"asking_like.{name}"] = max((like[name][i][0] for i in asking), default=0.0)
    return out


def _against(
    found: Sequence[Sentence], clashes: Sequence[Conflict], like: _Like
) -> dict[str, float]:
    """Say what does not fit: clashes of statements, and like sentences with another sense."""
    kinds = {one.kind for one in clashes}
    out = {f"clash.{kind}": float(kind in kinds) for kind in _CLASHES}
    out["clash.any"] = float(bool(kinds))
    for name, most in like.items():
        pairs = [(share, other, one) for (share, other), one in zip(most, found, strict=True)]
        out[f"like.{name}"] = max((share for share, _, _ in pairs), default=0.0)
        out[f"denied.{name}"] = max(
            (share for share, other, one in pairs if other and one.denied != other.denied),
            default=0.0,
        )
        out[f"renumbered.{name}"] = max(
            (share for share, other, one in pairs if other and renumbered(one, other)),
            default=0.0,
        )
    return out


def renumbered(one: Sentence, other: Sentence) -> bool:
    """Whether two sentences both hold numbers, and none in common."""
    return bool(one.numbers and other.numbers and not one.numbers & other.numbers)


def _stems(found: Sequence[Sentence]) -> frozenset[str]:
    return frozenset().union(*(one.stems for one in found))


def _numbers(found: Sequence[Sentence]) -> frozenset[str]:
    return frozenset().union(*(one.numbers for one in found))


#: Names of the columns; those that count things are named by the code that counts them.
FEATURES: Final = (
    *(f"reply.{name}" for name in FINDINGS),
    *(f"holds.{name}" for name in HITS),
    *(f"share.{name}" for name in HITS),
    *(f"now.{name}" for name in _SAID),
    *(f"before.{name}" for name in _SAID),
    *_named([], (), Context(), ()),
    *(f"wording.{i}" for i in range(HIDDEN_WIDTH)),
    *(f"answered.{i}" for i in range(HIDDEN_WIDTH)),
    *(f"sentence.{name}" for name in FINDINGS),
)
