"""The spaCy component ``customer_signals``: evidence as spans of a Doc. The only importer of spaCy.

``nlp.add_pipe("customer_signals")`` finds it where the package is installed; elsewhere import this
module first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from customer_nlp.analyzer import as_thread
from customer_nlp.artifacts import model_path, open_model
from customer_nlp.codebook import CORE_SIGNALS, MAX_GRADE, SIGNALS
from customer_nlp.errors import InvalidRecordError, MissingExtraError
from customer_nlp.records import Evidence, Signal
from customer_nlp.signals import ScoredMessage, SignalModel, score_messages

try:
    from spacy.language import Language
    from spacy.tokens import Doc
except ImportError as error:
    raise MissingExtraError("spacy", "spacy") from error

__all__ = ["COLORS", "NAME", "CustomerSignals", "create"]

#: Of the component, of ``doc.spans[…]`` and of ``doc._.…``.
NAME: Final = "customer_signals"
#: Colours of the core signals in displaCy, told apart by the colour-blind too.
COLORS: Final = {"CONFUSION": "#f0e442", "FRUSTRATION": "#e69f00", "CHURN_RISK": "#cc79a7"}


class CustomerSignals:
    """Marks what a customer's message shows; each Doc is one message.

    Parameters
    ----------
    model : str, optional
        Name of a shipped model (``"en"``, the default) or a model folder.
    threshold : float, optional
        Probability from which a signal or cue is marked; by default that of the model for each.

    Raises
    ------
    InvalidRecordError
        For a threshold that is not above 0 and at most 1.
    ModelFormatError, UntrustedModelError
        When the folder is no model, or fails verification.

    Notes
    -----
    Sets ``doc.spans["customer_signals"]``, one span for each piece of evidence with the signal or
    cue as label, widened to whole tokens of the Doc; and ``doc._.customer_signals``, plain JSON
    types: ``model``, ``language``, ``abstained`` (why nothing is said, or None), ``signals`` with
    ``probability``, ``grade`` and ``evidence`` of each core signal, ``cues`` with the probability
    of each that is shown. Ranges in the data are characters, exact; a DocBin turns lists of user
    data into tuples. A pipeline is saved with the
    model's name only, so the model must be there when it is loaded. Cost: linear in the
    characters; a batch of n equals n singles.
    """

    def __init__(self, model: str | None = None, threshold: float | None = None) -> None:
        if threshold is not None and not 0 < threshold <= 1:
            raise InvalidRecordError(
                f"The threshold must be above 0 and at most 1; got {threshold}. Leave it out for "
                "the model's own.",
                field="threshold",
            )
        folder = open_model(model_path(model))
        self._made_of = (model, threshold)
        self._threshold = threshold
        self._model_name = f"{folder.name}-{folder.version}"
        self._model = SignalModel(folder)

    def __reduce__(self) -> tuple[object, ...]:
        """Send the model's name, not its weights, to another process."""
        return type(self), self._made_of

    def __call__(self, doc: Doc) -> Doc:
        """Mark one Doc in place and return it, as spaCy asks of a component."""
        self._mark([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Mark Docs, `batch_size` of them scored at once.

        Yields
        ------
        Doc
            In the order of the stream.
        """
        docs = iter(stream)
        while batch := list(islice(docs, batch_size)):
            self._mark(batch)
            yield from batch

    def _mark(self, docs: Sequence[Doc]) -> None:
        messages = [as_thread(doc.text).messages[0] for doc in docs]
        scored = score_messages(self._model, messages)
        for doc, one, evidence in zip(docs, scored, self._evidence(scored), strict=True):
            marked = (
                doc.char_span(span.start, span.end, label=name, alignment_mode="expand")
                for name, spans in evidence.items()
                for span in spans
            )
            doc.spans[NAME] = [span for span in marked if span is not None]
            doc._.set(NAME, self._record(one, evidence))

    def _evidence(self, scored: Sequence[ScoredMessage]) -> list[dict[str, tuple[Evidence, ...]]]:
        """Find the words behind what each message shows, as ranges of the whole message."""
        said = [(i, one.scores) for i, one in enumerate(scored) if one.scores is not None]
        found = self._model.evidence(
            [scored[i].text for i, _ in said],
            [scores for _, scores in said],
            # of a signal of the user's own no words are known
            [[name for name in self._shown(scored[i]) if name in SIGNALS] for i, _ in said],
        )
        evidence: list[dict[str, tuple[Evidence, ...]]] = [{} for _ in scored]
        for (i, _), spans in zip(said, found, strict=True):
            evidence[i] = {name: scored[i].relocated(of_name) for name, of_name in spans.items()}
        return evidence

    def _probability(self, scored: ScoredMessage) -> dict[str, float]:
        """Return P(shown) of every signal and cue; nothing where the model abstains."""
        if (scores := scored.scores) is None:
            return {}
        parts = (scores.graded[0, ::MAX_GRADE], scores.cues[0], scores.own[0])
        values = [p for part in parts for p in part.tolist()]
        return dict(zip(self._model.signal_names, values, strict=True))

    def _shown(self, scored: ScoredMessage) -> dict[str, float]:
        """Return what is to be marked, with its probability."""
        probability, least = self._probability(scored), self._threshold
        if least is not None:
            return {name: p for name, p in probability.items() if p >= least}
        graded = dict(zip(CORE_SIGNALS, scored.grades, strict=True))
        limits = self._model.cue_thresholds | self._model.own_thresholds
        return {n: p for n, p in probability.items() if graded.get(n) or p >= limits.get(n, 2)}

    def _record(
        self, scored: ScoredMessage, evidence: dict[str, tuple[Evidence, ...]]
    ) -> dict[str, Any]:
        probability = self._probability(scored)
        signals = {
            name: Signal(name, probability[name], grade, evidence.get(name, ())).to_dict()
            for name, grade in zip(CORE_SIGNALS, scored.grades, strict=True)
            if probability
        }
        shown = self._shown(scored).items()
        return {
            "model": self._model_name,
            "language": scored.language,
            "abstained": scored.abstained,
            "signals": signals,
            "cues": {name: round(p, 4) for name, p in shown if name not in CORE_SIGNALS},
        }


@Language.factory(
    NAME,
    assigns=[f"doc._.{NAME}", "doc.spans"],
    default_config={"model": None, "threshold": None},
)
def create(
    nlp: Language,  # noqa: ARG001
    name: str,  # noqa: ARG001
    model: str | None,
    threshold: float | None,
) -> CustomerSignals:
    """Make the component, as spaCy asks of a factory."""
    return CustomerSignals(model, threshold)


if not Doc.has_extension(NAME):
    Doc.set_extension(NAME, default=None)
