"""The corpus is sound: schema, vocabularies, evidence, splits, duplicates, floors, the card."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from customer_nlp import codebook
from customer_nlp.accounts import REASONS
from customer_nlp.codebook import ACTIONS, CORE_SIGNALS, CUES, FINDINGS, action_problems
from customer_nlp.errors import MissingExtraError, SourceError
from customer_nlp.records import COMMITMENT_STATES, ZONE_KINDS
from customer_nlp.training import corpus as corpus_module
from customer_nlp.training import load_corpus
from customer_nlp.training._card import (
    OWN_WORDS,
    card,
    counts,
    f1,
    weighted_kappa,
)
from customer_nlp.training._groups import (
    duplicate_groups,
    near_duplicates,
    shingles,
    split_of,
)
from customer_nlp.training._upstream import SOURCES, read_upstream

DATA = Path(__file__).parents[1] / "data"
SPLITS = {"train", "dev", "test"}
DECISIVE = {"call_now", "escalate_to_manager", "retain", "make_good", "reconcile_answers"}

# The floors of the corpus issue (number 3).
FLOORS = {
    "messages": 6000,
    "complaints_xci": 2600,
    "bank, shop and call-centre queries": 1800,
    "multidogo": 800,
    "goemotions": 800,
    "threads": 800,
    "written customer messages": 3000,
    "industries": 25,
    "outreach": 200,
    "confusion": 1200,
    "churn_risk": 700,
    **{f"action {name}": 120 for name in ACTIONS},
    **{f"cue {name}": 100 for name in CUES},
    **{f"finding {name}": 120 for name in FINDINGS},
    **{
        f"tag {name}": 100
        for name in (
            "polite_restraint",
            "sarcasm",
            "third_party_anger",
            "quoting_agent",
            "previous_supplier",
            "innocent_trigger",
            "silent_churn",
            "calm_nth_report",
            "conditional_threat",
            "praise_negative_words",
            "two_accounts",
            "plain_question",
        )
    },
}
# Floors not reached yet, with the highest count that holds. Strike off what the corpus outgrows.
SHORT_OF_FLOOR: dict[str, int] = {}

# Stated floors of the writing itself; the ratio and the share are a little below what was measured.
LEAST_EMAIL_SHARE = 0.60
LEAST_TRIGRAM_RATIO = 0.80
LEAST_OWN_WORDS_FREE = 0.90
MOST_THREADS_PER_OPENING = 3
LEAST_WORDS_COMPARED = 8  # shorter turns ("Yes please, the Tuesday one.") may well coincide

# Pairs of near-duplicates between written threads that are so on purpose: {(id, id): why}.
EXPLAINED_DUPLICATES: dict[tuple[str, str], str] = {}

GREETING = re.compile(
    r"^(?:hi|hiya|hello|hey|howdy|dear|sirs?|now then|good (?:morning|afternoon|evening|day)"
    r"|morning|mornin|evening|afternoon|greetings|to whom)\b[^\n.!?]{0,40}[,\n!.:-]",
    re.IGNORECASE,
)
DOMAIN = re.compile(
    r"\b[\w-]+(?:\.[\w-]+){0,4}\.(?:com|org|net|co|uk|de|fr|es|it|io|eu|in|au|ca|info|biz|app|dev"
    r"|shop|store|ie|nl|us|ch|at|be|pl|se|no|dk|me|tv|ai|cloud|online|site)\b",
    re.IGNORECASE,
)
RESERVED_DOMAIN = re.compile(
    r"(?:\.(?:example|test|invalid)|\bexample\.(?:com|org|net))$", re.IGNORECASE
)
# behind the @ of an address stands a dot; without one it is a handle
MAIL_DOMAIN = re.compile(r"@([\w-]{1,40}(?:\.[\w-]{1,40}){1,5})")
# Numbers in the shape of a telephone number: +CC…, a leading 0 and nine digits more, NNN-NNN-NNNN.
PHONE = re.compile(
    r"(?<![\w.-])(?:\+\d{1,3}[ -]?(?:\(?\d{1,5}\)?[ -]?){2,4}|\(?0\d{2,4}\)?[ -]\d{3,4}[ -]?\d{3,4}"
    r"|0\d{9,10}|\(?\d{3}\)?[ .-]\d{3}[.-]\d{4}|\d{3}-\d{4})(?![\w-])"
)
LEAST_PHONE_DIGITS = 7
RESERVED_PHONE = re.compile(
    # North America 555-0100…0199; the ranges that Ofcom keeps for drama; Australia's; Ireland's.
    r"(?:55501\d\d|(?:0|44)1632960\d{0,3}|(?:0|44)2079460\d{3}|(?:0|44)7700900\d{3}"
    r"|(?:0|44)(?:113|114|115|116|117|118|121|131|141|151|161)4960\d{3}|(?:0|44)1914980\d{3}"
    r"|(?:0|44)2890180\d{3}|(?:0|44)2920180\d{3}|(?:0|44)8081570\d{3}|(?:0|61)[2378]5550\d{4}"
    r"|(?:0|353)2091\d{5})$"
)
# Names that slip easily into a made-up mail. Case counts; ordinary words are left out.
BRANDS = re.compile(
    r"\b(?:Amazon|Google|Gmail|Microsoft|Samsung|iPhone|iPad|WhatsApp|Facebook|Instagram|TikTok"
    r"|YouTube|PayPal|Mastercard|FedEx|DHL|DPD|Evri|Royal Mail|USPS|Parcelforce|eBay|Etsy|Netflix"
    r"|Spotify|Uber|Lyft|Airbnb|Tesco|Sainsbury|Asda|Aldi|Lidl|Walmart|Costco|IKEA|Argos|Vodafone"
    r"|Verizon|T-Mobile|Barclays|HSBC|NatWest|Santander|Monzo|Revolut|Trello|Salesforce|Shopify"
    r"|WordPress|Trustpilot|Yelp|Ofcom|Ofgem|Siemens|Sony|Philips|Lenovo|Epson|Toyota|BMW|Tesla"
    r"|Starbucks|Ryanair|EasyJet|Lufthansa|Boeing|Dropbox|Firefox|Wikipedia|Reddit|LinkedIn|Dyson"
    r"|Shimano|Campagnolo|Brompton|Xero|QuickBooks|IBM|Paytm|Airtel|Flipkart|Deliveroo|Klarna"
    r"|AutoCAD|PowerPoint|Photoshop)\b"
)


def _json_lines(name: str) -> list[dict]:
    with (DATA / "corpus" / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _csv(name: str) -> list[dict[str, str]]:
    with (DATA / "labels" / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def threads():
    return _json_lines("threads.jsonl")


@pytest.fixture(scope="module")
def posts():
    return _json_lines("posts.jsonl")


@pytest.fixture(scope="module")
def written(threads, posts):
    return threads + posts


@pytest.fixture(scope="module")
def messages(written):
    return [message for thread in written for message in thread["messages"]]


@pytest.fixture(scope="module")
def labels():
    return {source: _csv(source) for source in SOURCES}


@pytest.fixture(scope="module")
def outreach():
    return _json_lines("outreach.jsonl")


@pytest.fixture(scope="module")
def raw():
    places = [DATA / "raw", Path(os.environ.get("CUSTOMER_NLP_DATA_MIRROR", DATA / "raw"))]
    for place in places:
        if (place / SOURCES[0]).is_dir():
            return place
    pytest.skip(
        "needs the public texts: run `customer-nlp data fetch` or set CUSTOMER_NLP_DATA_MIRROR"
    )


# --- the written threads


def test_every_thread_keeps_to_the_schema(written):
    schema = json.loads((DATA / "schema" / "thread.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    problems = [
        f"{thread['id']} {error.json_path}"
        for thread in written
        for error in validator.iter_errors(thread)
    ]
    assert not problems


def test_the_schema_names_what_the_codebook_names():
    schema = json.loads((DATA / "schema" / "thread.schema.json").read_text(encoding="utf-8"))
    message = schema["$defs"]["message"]["properties"]
    assert tuple(message["cues"]["items"]["enum"]) == CUES
    assert tuple(message["findings"]["items"]["enum"]) == FINDINGS
    assert tuple(schema["$defs"]["action"]["enum"]) == ACTIONS
    assert tuple(message["gold"]["properties"]["channel"]["enum"]) == codebook.CHANNELS
    assert tuple(message["gold"]["properties"]["timing"]["enum"]) == codebook.TIMINGS
    assert tuple(message["grades"]["properties"]) == CORE_SIGNALS
    assert set(message["zones"]["items"]["properties"]["kind"]["enum"]) == set(ZONE_KINDS)
    states = message["promises"]["items"]["properties"]["state"]["enum"]
    assert set(states) <= set(COMMITMENT_STATES)


def test_ids_are_unique_and_turns_in_order(written, messages):
    assert len({thread["id"] for thread in written}) == len(written)
    assert len({message["id"] for message in messages}) == len(messages)
    corpus = load_corpus(DATA)
    for labelled in [*corpus.threads, *corpus.posts]:
        moments = [message.sent_at for message in labelled.thread.messages]
        assert moments == sorted(moments), labelled.thread.id


def test_every_role_carries_its_labels(messages):
    for message in messages:
        given_labels = [
            message[name] is not None for name in ("grades", "cues", "evidence", "gold")
        ]
        customer, agent = message["role"] == "customer", message["role"] == "agent"
        assert given_labels == [customer] * 4, message["id"]
        assert (message["findings"] is not None) == agent, message["id"]


def test_zones_tile_the_body_and_give_the_new_text(messages):
    # Message refuses zones that do not tile its text, so that loading is half of the test.
    stored = {message["id"]: message["new_text"] for message in messages}
    corpus = load_corpus(DATA)
    for labelled in [*corpus.threads, *corpus.posts]:
        for message in labelled.thread.messages:
            assert message.new_text == stored[message.id], message.id
            assert message.new_text.strip(), message.id


def test_evidence_stands_in_the_new_text(messages):
    for message in messages:
        new = [(zone["start"], zone["end"]) for zone in message["zones"] if zone["kind"] == "new"]
        for signal, ranges in (message["evidence"] or {}).items():
            assert bool(ranges) == (message["grades"][signal] > 0), (message["id"], signal)
            for start, end in ranges:
                assert start < end, message["id"]
                assert any(a <= start and end <= b for a, b in new), message["id"]
                words = message["body"][start:end]
                assert words == words.strip(), message["id"]


def test_promises_quote_the_message(messages):
    for message in messages:
        for promise in message["promises"]:
            quoted = message["body"][promise["start"] : promise["end"]]
            assert quoted == promise["text"], message["id"]
            assert quoted in message["new_text"], message["id"]


def test_actions_keep_the_exclusions(messages):
    broken = {
        message["id"]: problems
        for message in messages
        if (gold := message["gold"])
        if (problems := action_problems(gold["actions"], gold["primary"], gold["channel"]))
    }
    assert not broken


def test_the_intercept_is_the_first_decisive_turn(threads):
    for thread in threads:
        decisive = [
            message["id"]
            for message in thread["messages"]
            if message["gold"] and DECISIVE & set(message["gold"]["actions"])
        ]
        assert thread["intercept"] == (decisive[0] if decisive else None), thread["id"]


# --- original and varied writing


def test_no_two_threads_say_the_same(written):
    turns = [
        (thread["id"], message["new_text"])
        for thread in written
        for message in thread["messages"]
        if len(message["new_text"].split()) >= LEAST_WORDS_COMPARED
    ]
    found = {(turns[a][0], turns[b][0]) for a, b, _ in near_duplicates([text for _, text in turns])}
    assert {pair for pair in found if pair[0] != pair[1]} == set(EXPLAINED_DUPLICATES)


def test_no_opening_sentence_is_shared_by_more_than_three_threads(written):
    opened = defaultdict(set)
    for thread in written:
        text = GREETING.sub("", thread["messages"][0]["new_text"].strip(), count=1).strip()
        sentence = re.split(r"(?<=[.!?])\s|\n", text, maxsplit=1)[0]
        opened[" ".join(re.findall(r"\w+", sentence.lower()))].add(thread["id"])
    opened.pop("", None)
    shared = {k: v for k, v in opened.items() if len(v) > MOST_THREADS_PER_OPENING}
    assert not shared


def test_the_wording_is_varied(messages):
    trigrams = Counter()
    for message in messages:
        words = re.findall(r"\w+", message["new_text"].lower())
        trigrams.update(zip(words, words[1:], words[2:], strict=False))
    assert len(trigrams) / trigrams.total() >= LEAST_TRIGRAM_RATIO


@pytest.mark.parametrize("signal", CORE_SIGNALS)
def test_positive_messages_show_rather_than_tell(messages, signal):
    positive = [m["new_text"] for m in messages if m["grades"] and m["grades"][signal]]
    shown = sum(not OWN_WORDS[signal].search(text) for text in positive)
    assert shown / len(positive) >= LEAST_OWN_WORDS_FREE


def test_most_threads_are_mail(threads):
    formats = Counter(thread["format"] for thread in threads)
    assert formats["email"] / len(threads) >= LEAST_EMAIL_SHARE
    assert formats["chat"]
    assert formats["call"]


def _strings(record):
    if isinstance(record, str):
        yield record
    elif isinstance(record, dict):
        for value in record.values():
            yield from _strings(value)
    elif isinstance(record, list):
        for value in record:
            yield from _strings(value)


def test_no_real_domain_number_or_brand(written, outreach):
    found = []
    for record in written + outreach:
        for text in _strings(record):
            names = MAIL_DOMAIN.findall(text) + DOMAIN.findall(text)
            numbers = (re.sub(r"\D", "", number) for number in PHONE.findall(text))
            real = [name for name in names if not RESERVED_DOMAIN.search(name)]
            real += [
                number
                for number in numbers
                if len(number) >= LEAST_PHONE_DIGITS and not RESERVED_PHONE.search(number)
            ]
            found += [(record["id"], name) for name in real + BRANDS.findall(text)]
    assert not found


@pytest.mark.parametrize(
    "number", ["212-867-5309", "+49 30 901820", "0207 946 1000", "01904 551550"]
)
def test_a_real_looking_number_would_be_found(number):
    (found,) = PHONE.findall(f"Ring me on {number} please")
    assert not RESERVED_PHONE.search(re.sub(r"\D", "", found))


@pytest.mark.parametrize("number", ["555-0142", "020 7946 0331", "01632 960418", "+44 1632 960418"])
def test_a_reserved_number_may_stand(number):
    (found,) = PHONE.findall(f"Ring me on {number} please")
    assert RESERVED_PHONE.search(re.sub(r"\D", "", found))


# --- outreach cases


def test_outreach_cases_are_whole(outreach):
    assert len({case["id"] for case in outreach}) == len(outreach)
    assert {case["split"] for case in outreach} <= SPLITS
    assert all(case["split"] == split_of(case["group"]) for case in outreach)
    for case in outreach:
        assert case["decision"] in {"go", "hold", "correct_record"}
        assert case["reasons"]
        assert set(case["reasons"]) <= set(REASONS)
        assert case["why"]


def test_a_tenth_of_the_outreach_cases_is_read_twice(outreach):
    second = _json_lines("outreach_second.jsonl")
    ids = {case["id"] for case in outreach}
    assert len(second) >= len(outreach) // 10
    assert {case["id"] for case in second} <= ids
    for case in second:
        assert case["decision"] in {"go", "hold", "correct_record"}
        assert set(case["reasons"]) <= set(REASONS)


# --- labels on public messages


def test_labels_keep_to_the_vocabularies(labels):
    for source, rows in labels.items():
        assert len({row["id"] for row in rows}) == len(rows), source
        for row in rows:
            cues = row["cues"].split()
            assert set(cues) <= set(CUES), row["id"]
            assert len(set(cues)) == len(cues), row["id"]
            assert row["chosen"] in {"random", "enriched"}, row["id"]
            for signal in CORE_SIGNALS:
                assert row[signal] in {"0", "1", "2", "3"}, row["id"]
                ranges = row[f"evidence_{signal}"]
                assert bool(ranges) == (row[signal] != "0"), row["id"]
                assert re.fullmatch(r"(?:\d+:\d+(?: |$)){0,20}", ranges), row["id"]


def test_no_reserved_id_is_labelled(labels):
    reserved = json.loads((DATA / "reserved.json").read_text(encoding="utf-8"))
    tweets = {str(number) for number in reserved["complaints_xci.id"]}
    conversations = set(reserved["multidogo.conversationId"])
    again = _csv("second_reading")
    assert not tweets & {row["id"] for row in labels["complaints_xci"]}
    assert not tweets & {row["id"] for row in again if row["source"] == "complaints_xci"}
    rows = labels["multidogo"] + [row for row in again if row["source"] == "multidogo"]
    assert not conversations & {row["id"].split("#")[0] for row in rows}


def test_the_split_follows_from_the_group(written, labels):
    placed = written + [row for rows in labels.values() for row in rows]
    assert all(item["split"] == split_of(item["group"]) for item in placed)
    assert {item["split"] for item in placed} == SPLITS


def test_second_readings_are_of_labelled_messages(labels, messages):
    again = _csv("second_reading")
    known = {(source, row["id"]) for source, rows in labels.items() for row in rows}
    assert {(row["source"], row["id"]) for row in again} <= known
    assert Counter(row["reader"] for row in again)["second"] * 2 == len(again)
    turns = {row["id"] for row in _json_lines("second_reading.jsonl")}
    assert turns <= {message["id"] for message in messages}


def test_replies_read_again_stand_beside_their_labels(messages):
    shown = {message["id"]: message["findings"] for message in messages}
    for row in _json_lines("replies_second.jsonl"):
        first, second = set(row["first"]), set(row["second"])
        assert first | second <= set(FINDINGS), row["id"]
        # a third look settled what the two saw differently, and nothing else
        assert first & second <= set(shown[row["id"]]) <= first | second, row["id"]


def test_states_read_again_are_those_of_the_promises(messages):
    shown = {(m["id"], p["start"]): p["state"] for m in messages for p in m["promises"] or ()}
    rows = _json_lines("promises_second.jsonl")
    once = {key for key in shown if key[0].startswith("w24-")}  # written after that reading
    assert {(row["id"], row["start"]) for row in rows} == set(shown) - once
    for row in rows:
        readings = {row["first"], row["second"]}
        assert readings <= set(COMMITMENT_STATES), row["id"]
        # a third look settled what the two saw differently
        assert len(readings) > 1 or shown[row["id"], row["start"]] in readings, row["id"]


def test_labels_fit_the_public_texts(labels, raw):
    reserved = json.loads((DATA / "reserved.json").read_text(encoding="utf-8"))
    stored = json.loads((DATA / "labels" / "text_sha256.json").read_text(encoding="utf-8"))
    tweets = read_upstream("complaints_xci", raw)
    forbidden = {_words(tweets[str(number)].text) for number in reserved["complaints_xci.id"]}
    for source, rows in labels.items():
        upstream = read_upstream(source, raw)
        texts = [(row["id"], upstream[row["id"]].text) for row in rows]
        joined = "".join(f"{identifier}\0{text}\n" for identifier, text in texts)
        assert hashlib.sha256(joined.encode()).hexdigest() == stored[source], source
        assert not forbidden & {_words(text) for _, text in texts}, source
        for row, (_, text) in zip(rows, texts, strict=True):
            for signal in CORE_SIGNALS:
                for part in row[f"evidence_{signal}"].split():
                    start, end = map(int, part.split(":"))
                    assert 0 <= start < end <= len(text), row["id"]


def _words(text):
    return " ".join(re.findall(r"\w+", text.lower()))


def test_near_duplicates_share_a_split(labels, written, raw):
    placed = []
    for source, rows in labels.items():
        upstream = read_upstream(source, raw)
        placed += [(upstream[row["id"]].text, row["split"]) for row in rows]
    placed += [
        (message["new_text"], thread["split"])
        for thread in written
        for message in thread["messages"]
        if len(message["new_text"].split()) >= LEAST_WORDS_COMPARED
    ]
    pairs = near_duplicates([text for text, _ in placed])
    assert all(placed[a][1] == placed[b][1] for a, b, _ in pairs)


# --- how much there is


def _tally(threads, labels, outreach) -> Counter:
    customer = [m for t in threads for m in t["messages"] if m["role"] == "customer"]
    rows = [row for part in labels.values() for row in part]
    tally = Counter({source: len(part) for source, part in labels.items()})
    queries = ("banking77", "nlupp", "hint3", "dstc11_natcs")
    tally["bank, shop and call-centre queries"] = sum(tally[name] for name in queries)
    tally["messages"] = len(rows)
    tally["threads"] = len(threads)
    tally["written customer messages"] = len(customer)
    tally["industries"] = len({thread["industry"] for thread in threads})
    tally["outreach"] = len(outreach)
    for signal in ("confusion", "churn_risk"):
        tally[signal] = sum(row[signal] != "0" for row in rows)
        tally[signal] += sum(message["grades"][signal] > 0 for message in customer)
    tally.update(f"cue {cue}" for row in rows for cue in row["cues"].split())
    tally.update(f"cue {cue}" for message in customer for cue in message["cues"])
    tally.update(f"action {name}" for message in customer for name in message["gold"]["actions"])
    replies = (m for t in threads for m in t["messages"] if m["role"] == "agent")
    tally.update(f"finding {name}" for message in replies for name in message["findings"])
    tally.update(f"tag {tag}" for thread in threads for tag in thread["tags"])
    return tally


def test_there_is_enough_of_everything(threads, labels, outreach):
    tally = _tally(threads, labels, outreach)
    floors = FLOORS | SHORT_OF_FLOOR
    assert not {name: (tally[name], least) for name, least in floors.items() if tally[name] < least}


def test_a_floor_that_is_reached_is_not_called_short(threads, labels, outreach):
    tally = _tally(threads, labels, outreach)
    assert not [name for name in SHORT_OF_FLOOR if tally[name] >= FLOORS[name]]


# --- the card


def test_the_card_shows_the_tables_that_the_data_give():
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- tables: begin -->\n")[1].split("<!-- tables: end -->")[0]
    assert shown == card(DATA)


def test_the_card_says_who_read_and_wrote():
    readme = " ".join((DATA / "README.md").read_text(encoding="utf-8").split())
    assert "large language model" in readme
    assert "CC-BY-4.0" in readme
    assert "not people" in readme


GRADES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


@given(GRADES)
def test_weighted_kappa_is_that_of_scikit_learn(pairs):
    first, second = zip(*pairs, strict=True)
    ours = weighted_kappa(first, second)
    if len(set(first) | set(second)) == 1:
        assert math.isnan(ours)
    else:
        theirs = cohen_kappa_score(first, second, labels=[0, 1, 2, 3], weights="quadratic")
        assert ours == pytest.approx(theirs)


def test_f1_pools_the_labels_of_all_items():
    assert f1([["a", "b"], []], [["a"], ["c"]]) == pytest.approx(2 * 1 / 4)
    assert f1([["a"]], [["a"]]) == 1.0
    assert math.isnan(f1([[]], [[]]))


# --- groups


@given(st.lists(st.text(alphabet="ab ", max_size=24), max_size=12))
def test_near_duplicates_are_exact(texts):
    expected = []
    for right in range(len(texts)):
        for left in range(right):
            a, b = shingles(texts[left], 2), shingles(texts[right], 2)
            if a and b and len(a & b) / len(a | b) >= 0.5:
                expected.append((left, right))
    found = near_duplicates(texts, size=2)
    assert [(a, b) for a, b, _ in found] == sorted(expected)


def test_case_and_punctuation_make_no_difference():
    texts = ["Where is my parcel, please? It was due on Monday.", "where is my parcel please"]
    assert near_duplicates([texts[0], texts[0].upper().replace(",", "")]) == [(0, 1, 1.0)]
    assert near_duplicates(texts) == []


def test_groups_are_named_by_their_smallest_key():
    assert duplicate_groups(["d", "c", "b", "a"], [(0, 1), (1, 2)]) == ["b", "b", "b", "a"]
    assert duplicate_groups(["x", "y", "x"], []) == ["x", "y", "x"]


def test_splits_are_stable_and_about_eight_to_one_to_one():
    splits = Counter(split_of(f"thread {number}") for number in range(5000))
    assert splits["train"] == pytest.approx(4000, abs=100)
    assert splits["dev"] == pytest.approx(500, abs=80)
    assert split_of("w00-01") == split_of("w00-01") == "train"


# --- the loader


def test_threads_load_without_pandas_and_without_public_texts(monkeypatch, tmp_path, threads):
    monkeypatch.setitem(sys.modules, "pandas", None)
    corpus = load_corpus(DATA, raw=tmp_path)
    assert [labelled.thread.id for labelled in corpus.threads] == [t["id"] for t in threads]
    message, turn = next(corpus.threads[0].turns)
    assert message.zones_of("new")
    assert turn.gold is not None
    with pytest.raises(MissingExtraError, match="pandas"):
        _ = corpus.agent_messages


def test_missing_texts_name_the_way_out(tmp_path):
    with pytest.raises(SourceError, match="customer-nlp data fetch"):
        _ = load_corpus(DATA, raw=tmp_path).messages


def test_a_folder_without_corpus_is_refused(tmp_path):
    with pytest.raises(SourceError, match="'corpus' and 'labels'"):
        load_corpus(tmp_path)


def test_the_mirror_stands_in_for_the_fetched_folder(monkeypatch, tmp_path):
    (tmp_path / "corpus").mkdir()
    monkeypatch.setenv("CUSTOMER_NLP_DATA_MIRROR", str(tmp_path / "mirror"))
    assert load_corpus(tmp_path).raw == tmp_path / "mirror"
    (tmp_path / "raw").mkdir()
    assert load_corpus(tmp_path).raw == tmp_path / "raw"


def test_agent_messages_come_as_a_frame(messages):
    frame = load_corpus(DATA).agent_messages
    replies = {m["id"]: tuple(m["findings"]) for m in messages if m["role"] == "agent"}
    assert dict(zip(frame["id"], frame["findings"], strict=True)) == replies
    assert set(frame["split"]) == SPLITS


def test_the_frame_joins_labels_texts_and_threads(raw, labels, messages):
    frame = load_corpus(DATA, raw=raw).messages
    written = [m for m in messages if m["role"] == "customer"]
    assert len(frame) == sum(map(len, labels.values())) + len(written)
    assert not frame.duplicated(["source", "id"]).any()
    by_id = {message["id"]: message for message in written}
    for row in frame[frame["source"] == "written"].itertuples():
        stored = by_id[row.id]
        for signal, ranges in row.evidence.items():
            words = [row.text[start:end] for start, end in ranges]
            assert words == [stored["body"][start:end] for start, end in stored["evidence"][signal]]
    multidogo = frame[frame["source"] == "multidogo"]
    assert multidogo["context"].map(len).max() == 3


def test_no_repr_shows_text():
    labelled = load_corpus(DATA).threads[0]
    assert (
        repr(labelled)
        == f"LabelledThread(id='{labelled.thread.id}', messages={len(labelled.labels)})"
    )


def test_the_command_prints_counts_samples_and_card(capsys, tmp_path):
    assert corpus_module.main(["--samples", "1", "--root", str(DATA)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(counts(DATA))
    assert "=> confusion" in printed
    assert corpus_module.main(["--card", "--root", str(DATA)]) == 0
    assert capsys.readouterr().out == card(DATA)
    assert corpus_module.main(["--root", str(tmp_path)]) == 1
    assert "load_corpus" in capsys.readouterr().err
