"""Threading and roles: which mails belong together, in what order, and who wrote them."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer_nlp.readers import read
from customer_nlp.readers._roles import OwnAddresses
from customer_nlp.readers._threading import plain_subject
from customer_nlp.records import Thread

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
SHOP = "help@shop.example"


def mail(
    identifier: str,
    subject: str = "Kettle 4711",
    *,
    sender: str = "jo@home.example",
    to: str = SHOP,
    hours: float | None = 0,
    refs: str = "",
    extra: str = "",
) -> str:
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}"]
    if identifier:
        lines.append(f"Message-ID: <{identifier}>")
    if hours is not None:
        lines.append(f"Date: {format_datetime(START + timedelta(hours=hours))}")
    if refs:
        lines.append("References: " + " ".join(f"<{ref}>" for ref in refs.split()))
    if extra:
        lines.append(extra)
    return "\n".join(lines) + f"\n\nBody of {identifier}.\n"


def threads(tmp_path: Path, *mails: str, own: tuple[str, ...] = ("shop.example",)) -> list[Thread]:
    path = tmp_path / "inbox.mbox"
    separator = "From x Mon Mar  2 09:14:00 2026\n"
    path.write_text("".join(f"{separator}{mail}\n" for mail in mails), encoding="utf-8")
    return list(read(path, own_domains=own))


def ids(found: list[Thread]) -> list[tuple[str, list[str]]]:
    return [(thread.id, [message.id for message in thread.messages]) for thread in found]


# -- headers ------------------------------------------------------------------------------------


def test_references_make_a_thread_in_the_order_of_dates(tmp_path: Path) -> None:
    found = threads(
        tmp_path,
        mail("c", "x", hours=3, refs="a b"),
        mail("a", "x", hours=0),
        mail("other", "y", sender="mo@farm.example"),
        mail("b", "x", hours=1, refs="a", sender=SHOP, to="jo@home.example"),
    )
    assert ids(found) == [("a", ["a", "b", "c"]), ("other", ["other"])]
    assert [message.role for message in found[0].messages] == ["customer", "agent", "customer"]


def test_in_reply_to_alone_links(tmp_path: Path) -> None:
    found = threads(
        tmp_path,
        mail("a", "x"),
        mail("b", "y", hours=1, extra="In-Reply-To: your mail <a> of today"),
    )
    assert ids(found) == [("a", ["a", "b"])]
    assert found[0].messages[1].refers_to == "a"


@pytest.mark.parametrize(
    "header",
    [
        "References: z@x.example a@x.example",
        "References: z@x.example,a@x.example",
        "References: <z@x.example><a@x.example",
        "References: <z@x.example> <a@\n x.example>",
        "References: =?us-ascii?B?PGFAeC5leGFtcGxlPg==?=",
        "In-Reply-To: < a@x.example >",
        "In-Reply-To: <A@X.EXAMPLE>",
        "In-Reply-To: <z@x.example> <a@x.example>",
        "In-Reply-To: a@x.example>",
        'In-Reply-To: Message from Ann Lee <ann@farm.example> of "Mon, 2 Mar" <a@x.example>',
    ],
)
def test_ids_are_read_however_they_are_written(tmp_path: Path, header: str) -> None:
    found = threads(
        tmp_path, mail("a@x.example"), mail("b@x.example", "Other words", hours=1, extra=header)
    )
    assert [len(thread) for thread in found] == [2]


def test_an_address_is_no_id_of_a_mail(tmp_path: Path) -> None:
    header = "In-Reply-To: Message from Jo <jo@home.example> of Monday"
    found = threads(
        tmp_path,
        mail("a", "Kettle 4711 leaks", sender=SHOP, to="jo@home.example", extra=header),
        mail("b", "Sofa 12 has no legs", sender=SHOP, to="jo@home.example", extra=header),
    )
    assert [len(thread) for thread in found] == [1, 1]


def test_the_index_of_outlook_may_be_folded(tmp_path: Path) -> None:
    root = "AdwX3nVJm0PpQk2cRXGZ8cJ5d8bYpQ=="
    found = threads(
        tmp_path,
        mail("a", extra=f"Thread-Index: {root}"),
        mail("b", "Other words", hours=1, extra=f"Thread-Index: {root[:20]}\n {root[20:]}"),
    )
    assert [len(thread) for thread in found] == [2]


def test_mails_without_a_subject_have_none_in_common(tmp_path: Path) -> None:
    nothing = "(no subject)"
    apart = threads(tmp_path, mail("a", nothing), mail("b", nothing, hours=1))
    answered = threads(
        tmp_path,
        mail("a", nothing),
        mail("b", f"Re: {nothing}", sender=SHOP, to="jo@home.example", hours=1),
    )
    assert [len(thread) for thread in apart] == [1, 1]
    assert [len(thread) for thread in answered] == [2]


def test_a_missing_root_names_the_thread(tmp_path: Path) -> None:
    found = threads(
        tmp_path, mail("b", "x", refs="gone"), mail("c", "y", hours=1, refs="gone also-gone")
    )
    assert ids(found) == [("gone", ["b", "c"])]


def test_a_clock_that_is_wrong_does_not_change_the_root(tmp_path: Path) -> None:
    found = threads(tmp_path, mail("a", "x", hours=5), mail("b", "x", hours=0, refs="a"))
    assert ids(found) == [("a", ["b", "a"])]


@pytest.mark.parametrize("refs", [("a", "b"), ("b", "a")])
def test_mails_that_name_one_another_or_themselves(tmp_path: Path, refs: tuple[str, str]) -> None:
    found = threads(tmp_path, mail("a", "x", refs=refs[0]), mail("b", "x", hours=1, refs=refs[1]))
    assert sorted(message.id for thread in found for message in thread.messages) == ["a", "b"]
    assert found[0].id == "a"


def test_undated_mails_in_files_keep_their_place(tmp_path: Path) -> None:
    mails = [
        mail("a", "x", hours=0),
        mail("d", "x", hours=9, refs="a"),
        mail("b", "x", hours=None, refs="a"),
        mail("c", "x", hours=None, refs="a b"),
    ]
    for number, raw in enumerate(mails):
        (tmp_path / f"{number}.eml").write_text(raw)
    assert ids(list(read(tmp_path))) == [("a", ["a", "b", "c", "d"])]


def test_wholly_undated_threads_keep_the_order_of_the_file(tmp_path: Path) -> None:
    for number, (name, refs) in enumerate([("z", ""), ("y", "z"), ("x", "z y"), ("w", "z")]):
        (tmp_path / f"{number}.eml").write_text(mail(name, "s", hours=None, refs=refs))
    assert ids(list(read(tmp_path))) == [("z", ["z", "y", "x", "w"])]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Thread-Index: AdwAAAAAAAAAAAAAAAAAAAAAAAAAAA==", None),
        ("X-GM-THRID: 1790000000000000001", None),
    ],
)
def test_conversation_keys_of_servers_link(tmp_path: Path, first: str, second: str | None) -> None:
    found = threads(
        tmp_path, mail("a", "x", extra=first), mail("b", "other", hours=1, extra=second or first)
    )
    assert ids(found) == [("a", ["a", "b"])]


def test_a_bounce_joins_the_mail_that_came_back(tmp_path: Path) -> None:
    bounce = mail(
        "d", "Delivery Status Notification (Failure)", sender="mailer-daemon@mx.example", hours=1,
        extra="X-Failed-Recipients: jo@home.example",
    ) + "\nMessage-ID: <b>\nSubject: Re: Kettle\n"  # fmt: skip
    found = threads(tmp_path, mail("b", "Re: Kettle", sender=SHOP, to="jo@home.example"), bounce)
    assert ids(found) == [("b", ["b", "d"])]
    assert found[0].messages[1].role == "system"


# -- subjects -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "plain", "marked", "ticket"),
    [
        ("Re: Kettle", "kettle", True, ""),
        ("AW: WG: Re[2]: Kettle!", "kettle", True, ""),
        ("SV: RE (3): kettle", "kettle", True, ""),
        ("Fwd:Kettle", "kettle", True, ""),
        ("TR : Kettle", "kettle", True, ""),
        ("回复：Kettle", "kettle", True, ""),
        ("Kettle", "kettle", False, ""),
        ("Reply: Kettle", "reply: kettle", False, ""),
        ("Ref: 4711", "ref: 4711", False, ""),
        ("[#88123] Re: Kettle", "kettle", True, "88123"),
        ("Re: Kettle [Ticket#88123]", "kettle", True, "88123"),
        ("[Case: 0088123] Kettle", "kettle", False, "0088123"),
        ("[HELP-42] Kettle", "kettle", False, "help-42"),
        ("##88123## Kettle", "kettle", False, "88123"),
        ("[EXTERNAL] Re: Kettle", "kettle", True, ""),
        ("[External Email] Re: Kettle", "kettle", True, ""),
        ("Re: EXTERNAL: Kettle", "kettle", True, ""),
        ("***SPAM*** Kettle", "kettle", False, ""),
        ("External pump: leaks", "external pump: leaks", False, ""),
        ("Re^2: Kettle", "kettle", True, ""),
        ("Antw.: Kettle", "kettle", True, ""),
        ("Отв: Kettle", "kettle", True, ""),
        ("[kettle-users] Re: Kettle", "[kettle-users] kettle", True, ""),
        ("[kettle-users] Kettle", "[kettle-users] kettle", False, ""),
        ("Order #4711", "order #4711", False, ""),
        ("", "", False, ""),
    ],
)
def test_subjects_are_brought_to_one_form(
    subject: str, plain: str, marked: bool, ticket: str
) -> None:
    assert plain_subject(subject) == (plain, marked, ticket)


def test_a_reply_that_lost_its_headers_finds_its_thread(tmp_path: Path) -> None:
    found = threads(
        tmp_path,
        mail("a"),
        mail("b", "AW: Kettle 4711", sender=SHOP, to="jo@home.example", hours=2),
        mail("c", "Re: AW: Kettle 4711", hours=30),
    )
    assert ids(found) == [("a", ["a", "b", "c"])]


def test_other_customers_with_the_same_subject_stay_apart(tmp_path: Path) -> None:
    found = threads(
        tmp_path,
        mail("a", "Question"),
        mail("b", "Re: Question", sender="mo@farm.example", hours=1),
        mail("c", "Re: Question", sender=SHOP, to="mo@farm.example", hours=2),
    )
    assert ids(found) == [("a", ["a"]), ("b", ["b", "c"])]


def test_after_45_days_it_is_another_matter(tmp_path: Path) -> None:
    day = 24
    within = threads(tmp_path, mail("a"), mail("b", "Re: Kettle 4711", hours=45 * day))
    beyond = threads(tmp_path, mail("a"), mail("b", "Re: Kettle 4711", hours=45 * day + 1))
    chain = threads(
        tmp_path,
        mail("a"),
        mail("b", "Re: Kettle 4711", hours=40 * day),
        mail("c", "Re: Kettle 4711", hours=80 * day),
    )
    assert (len(within), len(beyond), len(chain)) == (1, 2, 1)


def test_a_new_mail_joins_only_under_a_subject_that_says_something(tmp_path: Path) -> None:
    assert len(threads(tmp_path, mail("a"), mail("b", hours=3))) == 1
    assert len(threads(tmp_path, mail("a", "Invoice"), mail("b", "Invoice", hours=3))) == 2
    assert len(threads(tmp_path, mail("a", ""), mail("b", "", hours=3))) == 2


def test_notices_of_the_company_stay_apart(tmp_path: Path) -> None:
    notice = {"sender": SHOP, "to": "jo@home.example"}
    subject = "Your invoice is ready"
    assert (
        len(threads(tmp_path, mail("a", subject, **notice), mail("b", subject, hours=9, **notice)))
        == 2
    )
    bulk = "Precedence: bulk"
    assert len(threads(tmp_path, mail("a", extra=bulk), mail("b", hours=1, extra=bulk))) == 2


def test_a_ticket_id_links_different_subjects(tmp_path: Path) -> None:
    found = threads(
        tmp_path,
        mail("a", "[#88123] Kettle", sender=SHOP, to="jo@home.example"),
        mail("b", "Lid is broken [#88123]", hours=4),
        mail("c", "Lid is broken [#99999]", sender="mo@farm.example", hours=4),
    )
    assert ids(found) == [("a", ["a", "b"]), ("c", ["c"])]


def test_the_order_in_the_file_does_not_change_the_threads(tmp_path: Path) -> None:
    mails = []
    for k, j in itertools.product(range(12), range(4)):
        sender, to = (SHOP, f"c{k}@home.example") if j % 2 else (f"c{k}@home.example", SHOP)
        subject = f"{'Re: ' * bool(j)}Order {k} late"
        refs = f"{k}.{j - 1}" if j and k % 3 else ""
        mails.append(mail(f"{k}.{j}", subject, hours=k + j * 5, sender=sender, to=to, refs=refs))
    shuffled = random.Random(5).sample(mails, len(mails))

    assert sorted(ids(threads(tmp_path, *mails))) == sorted(ids(threads(tmp_path, *shuffled)))
    assert len(threads(tmp_path, *mails)) == 12


@pytest.mark.parametrize("dropped", [0.0, 0.3, 1.0])
def test_lost_headers_cost_little(tmp_path: Path, dropped: float) -> None:
    chance = random.Random(3)
    mails = []
    for k in range(200):
        person = f"c{k % 70}@home{k % 70}.example"
        for j in range(chance.randint(1, 6)):
            sender, to = (SHOP, person) if j % 2 else (person, SHOP)
            kept = chance.random() >= dropped
            refs = " ".join(f"t{k}.{i}" for i in range(j)) if kept else ""
            subject = f"{'Re: ' if j else ''}Order {k * 13} is late"
            hours = k * 7 + j * 11
            mails.append(mail(f"t{k}.{j}", subject, hours=hours, refs=refs, sender=sender, to=to))
    found = threads(tmp_path, *mails)
    truth = {
        identifier: identifier.split(".")[0] for thread in found for identifier in _ids(thread)
    }
    assert _b_cubed(found, truth) >= (0.98 if dropped == 0.0 else 0.9)


def _ids(thread: Thread) -> list[str]:
    return [message.id for message in thread.messages]


def _b_cubed(found: list[Thread], truth: dict[str, str]) -> float:
    size: dict[str, int] = {}
    for label in truth.values():
        size[label] = size.get(label, 0) + 1
    precision = recall = 0.0
    for thread in found:
        labels = [truth[identifier] for identifier in _ids(thread)]
        for label in labels:
            same = labels.count(label)
            precision += same / len(labels)
            recall += same / size[label]
    precision, recall = precision / len(truth), recall / len(truth)
    return 2 * precision * recall / (precision + recall)


# -- scale --------------------------------------------------------------------------------------


def test_a_chain_of_thousands_is_no_recursion(tmp_path: Path) -> None:
    mails = [mail(f"m{n}", "x", hours=n, refs=f"m{n - 1}" if n else "") for n in range(5000)]
    found = threads(tmp_path, *reversed(mails))
    assert len(found) == 1
    assert found[0].id == "m0"
    assert [message.id for message in found[0].messages] == [f"m{n}" for n in range(5000)]


def test_a_mailing_to_thousands_and_one_subject_for_all(tmp_path: Path) -> None:
    everybody = ", ".join(f"p{n}@home.example" for n in range(5000))
    one_subject = [
        mail(f"n{n}", "Re: Question", sender=f"p{n}@home.example", hours=n / 60)
        for n in range(4000)
    ]
    found = threads(tmp_path, mail("a", "Question", sender=SHOP, to=everybody), *one_subject)
    assert sum(map(len, found)) == 4001


# -- roles --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "address", "inside"),
    [
        ("shop.example", "a@shop.example", True),
        ("shop.example", "a@eu.mail.shop.example", True),
        ("shop.example", "a@notshop.example", False),
        ("@Shop.Example.", "a@shop.example", True),
        ("shop@gmail.com", "shop@gmail.com", True),
        ("shop@gmail.com", "jo@gmail.com", False),
        ("shop.example", "no address", False),
        ("*.shop.example", "a@eu.shop.example", True),
        (".shop.example", "a@shop.example", True),
        ("käse.example", "a@xn--kse-qla.example", True),
        ("xn--kse-qla.example", "a@eu.käse.example", True),
    ],
)
def test_own_domains(entry: str, address: str, inside: bool) -> None:
    assert (address in OwnAddresses(entry)) is inside


def roles(found: list[Thread]) -> list[str]:
    return [message.role for thread in found for message in thread.messages]


def test_given_domains_make_roles_certain(tmp_path: Path) -> None:
    found = threads(
        tmp_path, mail("a"), mail("b", refs="a", sender="ines@eu.shop.example", hours=1)
    )
    assert roles(found) == ["customer", "agent"]
    assert {message.role_confidence for message in found[0].messages} == {1.0}


def test_the_party_that_all_threads_share_is_the_company(tmp_path: Path) -> None:
    mails = []
    for k in range(8):
        person, us = f"p{k}@home{k}.example", "ines.roth@bright.example"
        mails.append(mail(f"a{k}", f"Matter {k}", sender=us, to=person))
        mails.append(mail(f"b{k}", f"Re: Matter {k}", sender=person, to=us, hours=1, refs=f"a{k}"))
    found = threads(tmp_path, *mails, own=())
    assert roles(found) == ["agent", "customer"] * 8
    confidences = {message.role_confidence for thread in found for message in thread.messages}
    assert all(0.6 <= confidence <= 0.95 for confidence in confidences)


def test_a_single_mail_is_addressed_to_the_company(tmp_path: Path) -> None:
    found = threads(tmp_path, mail("a", to="ines@bright.example"), own=())
    assert roles(found) == ["customer"]
    assert 0.5 < found[0].messages[0].role_confidence < 0.9


def test_a_desk_that_writes_first_is_still_the_company(tmp_path: Path) -> None:
    found = threads(
        tmp_path,
        mail("a", sender="Bright Support <support@bright.example>", to="jo@home.example"),
        mail("b", refs="a", to="support@bright.example", hours=1),
        own=(),
    )
    assert roles(found) == ["agent", "customer"]


def test_mail_providers_are_no_companies(tmp_path: Path) -> None:
    mails = []
    for k in range(5):
        mails.append(
            mail(f"a{k}", f"Matter {k}", sender=f"p{k}@gmail.com", to="brightshop@gmail.com")
        )
        mails.append(
            mail(
                f"b{k}",
                "Re: x",
                sender="brightshop@gmail.com",
                to=f"p{k}@gmail.com",
                hours=1,
                refs=f"a{k}",
            )
        )
    assert roles(threads(tmp_path, *mails, own=())) == ["customer", "agent"] * 5


def test_within_one_domain_the_desk_is_the_company(tmp_path: Path) -> None:
    found = threads(
        tmp_path,
        mail("a", sender="jo@firm.example", to="helpdesk@firm.example"),
        mail("b", refs="a", sender="helpdesk@firm.example", to="jo@firm.example", hours=1),
        own=(),
    )
    assert roles(found) == ["customer", "agent"]


def test_a_desk_on_a_sub_domain_is_of_the_domain_above(tmp_path: Path) -> None:
    mails = []
    for k in range(4):
        person, ines = f"p{k}@home{k}.example", "ines@bright.example"
        mails.append(mail(f"a{k}", f"Matter {k}", sender=person, to="help@mail.bright.example"))
        mails.append(mail(f"b{k}", f"Re: Matter {k}", sender=ines, to=person, refs=f"a{k}"))
    assert roles(threads(tmp_path, *mails, own=())) == ["customer", "agent"] * 4


@pytest.mark.parametrize(
    ("sender", "to", "reply_to", "expected"),
    [
        # a contact form, and a group that writes in its members' names
        ("Form <noreply@shop.example>", SHOP, "Jo <jo@home.example>", ("customer", 0.8)),
        ("'Jo' via Help <help@shop.example>", SHOP, "jo@home.example", ("customer", 0.8)),
        ("Ines <ines@shop.example>", "jo@home.example", "jo@home.example", ("agent", 1.0)),
        ("Ines <ines@shop.example>", "tom@shop.example", "ines@shop.example", ("agent", 1.0)),
        ("Ines <ines@shop.example>", SHOP, "support+7@desk.example", ("agent", 1.0)),
        ("Mo <mo@farm.example>", SHOP, "jo@home.example", ("customer", 1.0)),
    ],
)
def test_a_mail_to_ourselves_that_outsiders_get_the_answer_to_is_theirs(
    tmp_path: Path, sender: str, to: str, reply_to: str, expected: tuple[str, float]
) -> None:
    (thread,) = threads(tmp_path, mail("a", sender=sender, to=to, extra=f"Reply-To: {reply_to}"))
    (message,) = thread.messages
    assert (message.role, message.role_confidence) == expected
    if expected == ("customer", 0.8):
        assert message.sender == "jo@home.example"


def test_the_answer_to_a_contact_form_finds_it(tmp_path: Path) -> None:
    form = {"subject": "Message from the form", "sender": "noreply@shop.example"}
    found = threads(
        tmp_path,
        mail("a", **form, extra="Reply-To: jo@home.example"),
        mail("b", **form, extra="Reply-To: mo@farm.example", hours=1),
        mail("c", **form, extra="Reply-To: jo@home.example", hours=2),
        mail("d", f"Re: {form['subject']}", sender=SHOP, to="mo@farm.example", hours=3),
    )
    assert ids(found) == [("a", ["a"]), ("b", ["b", "d"]), ("c", ["c"])]


def test_without_any_hint_the_guess_is_honest(tmp_path: Path) -> None:
    path = tmp_path / "one.eml"
    path.write_text("From: jo@home.example\nSubject: Hello\n\nWhere is it?\n")
    (message,) = next(read(path)).messages
    assert (message.role, message.role_confidence) == ("customer", 0.5)


# -- properties ---------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
MAILS = st.lists(
    st.tuples(
        NAMES,
        st.lists(NAMES | st.just("gone"), max_size=3),
        st.sampled_from(["Kettle 4711", "Re: Kettle 4711", "Question", ""]),
        st.sampled_from(["jo@home.example", "mo@farm.example", SHOP]),
        st.none() | st.integers(0, 2000),
    ),
    min_size=1,
    max_size=9,
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mails=MAILS)
def test_every_mail_is_in_exactly_one_thread(
    tmp_path: Path, mails: list[tuple[str, list[str], str, str, int | None]]
) -> None:
    raws = [
        mail(name, subject, sender=sender, hours=hours, refs=" ".join(refs)) + f"\n{number}\n"
        for number, (name, refs, subject, sender, hours) in enumerate(mails)
    ]
    found = threads(tmp_path, *raws)
    everything = [message.id for thread in found for message in thread.messages]
    assert len(everything) == len(set(everything)) == len(mails)
    assert len({thread.id for thread in found}) == len(found)
    for thread in found:
        dates = [message.sent_at for message in thread.messages if message.sent_at]
        assert dates == sorted(dates)
    assert ids(found) == ids(threads(tmp_path, *raws))
