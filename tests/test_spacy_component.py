"""The spaCy component: spans and plain data on a Doc, alone and in a batch, saved by name."""

from __future__ import annotations

import configparser
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_nlp.errors import InvalidRecordError
from customer_nlp.records import Message, Thread

spacy = pytest.importorskip("spacy")
component = pytest.importorskip("customer_nlp.spacy_component")

ROOT = Path(__file__).resolve().parents[1]
ANGRY = "This is the third time I write. The replacement does not work either!"
QUOTED = f"{ANGRY}\n\nOn Mon, 2 Mar 2026 Kim wrote:\n> I am so angry, get me your manager.\n"
FRENCH = "Où est ma commande, s'il vous plaît ? Je l'attends depuis trois semaines."
TEXTS = [ANGRY, QUOTED, FRENCH, "Thank you, all is well now.", "", "?!"]


def pipeline(**config: object) -> spacy.Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("customer_signals", config=config)
    return nlp


@pytest.fixture(scope="module")
def nlp() -> spacy.Language:
    return pipeline()


def spans(doc: spacy.tokens.Doc) -> list[tuple[str, str]]:
    return [(span.label_, span.text) for span in doc.spans["customer_signals"]]


def test_spans_cover_the_evidence_of_the_data(nlp):
    doc = nlp(ANGRY)
    evidence = doc._.customer_signals["signals"]["frustration"]["evidence"]
    assert evidence
    marked = [span for span in doc.spans["customer_signals"] if span.label_ == "frustration"]
    for span, said in zip(marked, evidence, strict=True):
        assert said["text"] == ANGRY[said["start"] : said["end"]]
        assert span.start_char <= said["start"] < said["end"] <= span.end_char


def test_data_is_what_the_analyzer_says_of_the_message(nlp, analyzer):
    for text in TEXTS:
        message = analyzer.analyze(Thread("t", (Message("customer", text),))).messages[0].to_dict()
        said = json.loads(json.dumps(nlp(text)._.customer_signals))
        assert said["model"] == analyzer.model
        assert {key: said[key] for key in ("language", "signals", "cues")} == {
            key: message[key] for key in ("language", "signals", "cues")
        }


def test_abstains_with_a_reason_and_no_spans(nlp):
    doc = nlp(FRENCH)
    assert doc._.customer_signals["abstained"] == "language"
    assert spans(doc) == []


def test_quoted_words_are_not_marked(nlp):
    assert spans(nlp(QUOTED)) == spans(nlp(ANGRY))


@settings(max_examples=20)
@given(texts=st.lists(st.sampled_from(TEXTS) | st.text(max_size=80), max_size=9))
def test_a_batch_equals_singles(nlp, texts):
    batch = list(nlp.pipe(texts, batch_size=4))
    assert [doc.text for doc in batch] == texts
    assert [(spans(doc), doc._.customer_signals) for doc in batch] == [
        (spans(doc), doc._.customer_signals) for doc in map(nlp, texts)
    ]


def test_a_batch_is_scored_at_once(nlp, monkeypatch):
    sizes = []
    scored = component.score_messages

    def counting(model, messages):
        sizes.append(len(messages))
        return scored(model, messages)

    monkeypatch.setattr(component, "score_messages", counting)
    assert len(list(nlp.pipe([ANGRY] * 10, batch_size=4))) == 10
    assert sizes == [4, 4, 2]


def test_threshold_decides_what_is_marked():
    few, many = pipeline(threshold=0.9)(ANGRY), pipeline(threshold=0.05)(ANGRY)
    assert {label for label, _ in spans(few)} < {label for label, _ in spans(many)}
    assert min(many._.customer_signals["cues"].values()) >= 0.05


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_threshold_must_be_a_probability(threshold):
    with pytest.raises(InvalidRecordError, match=r"above 0 and at most 1; got"):
        component.CustomerSignals(threshold=threshold)


def test_own_signals_of_a_trained_model_are_in_the_data(tmp_path):
    from customer_nlp import learn

    folder = learn.add_signal(
        "mentions_rival", examples=["Acme does it for less"], phrases=["acme"], out=tmp_path / "own"
    )
    doc = pipeline(model=str(folder))("I hear that Acme is cheaper.")
    assert doc._.customer_signals["cues"]["mentions_rival"] >= 0.95


def test_works_beside_other_components():
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("customer_signals", last=True)
    doc = nlp(ANGRY)
    assert len(list(doc.sents)) == 2
    assert all(span.sent.text for span in doc.spans["customer_signals"])


def test_displacy_shows_the_evidence(nlp):
    html = spacy.displacy.render(
        nlp(ANGRY), style="span", options={"spans_key": "customer_signals"}, jupyter=False
    )
    assert "frustration" in html
    assert "third" in html


def test_docbin_keeps_spans_and_data(nlp):
    from spacy.tokens import DocBin

    docs = list(nlp.pipe(TEXTS))
    kept = DocBin(docs=docs, store_user_data=True).to_bytes()
    for old, new in zip(docs, DocBin().from_bytes(kept).get_docs(nlp.vocab), strict=True):
        assert spans(new) == spans(old)
        # a DocBin turns lists into tuples
        assert json.dumps(new._.customer_signals) == json.dumps(old._.customer_signals)


def test_a_saved_pipeline_holds_the_name_of_the_model_only(tmp_path):
    nlp = pipeline(model="en", threshold=0.3)
    nlp.to_disk(tmp_path / "pipeline")
    config = (tmp_path / "pipeline" / "config.cfg").read_text(encoding="utf-8")
    assert 'model = "en"' in config
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 200_000
    copy = pipeline(threshold=0.3).from_bytes(nlp.to_bytes())
    for again in (spacy.load(tmp_path / "pipeline"), copy):
        assert spans(again(ANGRY)) == spans(nlp(ANGRY))


def test_the_component_crosses_a_process_border():
    made = component.CustomerSignals(threshold=0.3)
    sent = pickle.dumps(made)
    assert len(sent) < 500
    doc = spacy.blank("en").make_doc(ANGRY)
    assert spans(pickle.loads(sent)(doc)) == spans(pipeline(threshold=0.3)(ANGRY))


def test_an_installed_package_needs_no_import(tmp_path):
    """spaCy finds the factory by the entry point that setup.cfg declares."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    info = tmp_path / "customer_nlp_entry-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: customer_nlp_entry\nVersion: 0\n")
    (info / "entry_points.txt").write_text(
        "\n".join(
            f"[{group}]{setup['options.entry_points'][group]}"
            for group in ("spacy_factories", "spacy_displacy_colors")
        )
    )
    script = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n"
        "import spacy\n"
        "nlp = spacy.blank('en'); nlp.add_pipe('customer_signals')\n"
        f"doc = nlp({ANGRY!r}); print(doc._.customer_signals['signals']['frustration']['grade'])\n"
        "html = spacy.displacy.render(doc, style='span', jupyter=False,\n"
        "                             options={'spans_key': 'customer_signals'})\n"
        "print('#e69f00' in html)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "True"]
