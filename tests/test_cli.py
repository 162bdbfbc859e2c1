"""The shell: what a person sees, and what nobody should."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from customer_nlp.artifacts import default_model_path
from customer_nlp.cli import main

CANARY = "canary-55d1"


def test_score_prints_a_table_and_a_sum(inbox: Path, tmp_path: Path, capsys):
    out = tmp_path / "out.jsonl"
    code = main(["score", str(inbox), "--out", str(out), "--own-domain", "firma.example"])
    shown = capsys.readouterr().out
    assert code == 0
    assert "anna@kunde.example" in shown
    assert "Opening hours" in shown
    assert "4 messages read = 3 scored + 1 rejected, in 2 threads" in shown
    assert len(out.read_text().splitlines()) == 2
    first = json.loads(out.read_text().splitlines()[0])["recommendation"]
    assert first["primary"] in shown


def test_explain_marks_the_words(capsys):
    code = main(["explain", "This is the third time I am writing. I am absolutely furious."])
    shown = capsys.readouterr().out
    assert code == 0
    assert "⟦frustration: " in shown
    assert "do next: " in shown
    assert "because " in shown


def test_explain_reads_a_file_and_picks_a_thread(inbox: Path, capsys):
    code = main(["explain", str(inbox), "--thread", "3@kunde.example"])
    assert code == 0
    assert "Saturday" in capsys.readouterr().out
    assert main(["explain", str(inbox), "--thread", "nobody"]) == 2
    assert "no such thread" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["explain", "review"])
def test_a_mistyped_file_name_is_not_read_as_words(command: str, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([command, "inbix.mbox"]) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert main([command, "see inbix.mbox"]) == 0


def test_models_are_listed_and_verified(tmp_path: Path, capsys):
    assert main(["models"]) == 0
    assert "hashes verified; licence Apache-2.0" in capsys.readouterr().out
    broken = tmp_path / "broken"
    shutil.copytree(default_model_path(), broken)
    (broken / "actions.json").write_text("{}")
    assert main(["models", str(broken)]) == 2
    assert "actions.json should have" in capsys.readouterr().err


def test_explain_reads_standard_input(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("Where is my parcel?"))
    assert main(["explain", "-"]) == 0
    assert "Where is my parcel?" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["nowhere.mbox", "empty.mbox", "empty-folder", "table.csv"])
def test_bad_input_is_exit_code_2_and_says_the_way_out(tmp_path: Path, name: str, capsys):
    (tmp_path / "empty.mbox").write_bytes(b"")
    (tmp_path / "empty-folder").mkdir()
    (tmp_path / "table.csv").write_text(f"colour,size\n{CANARY},5\n")
    code = main(["score", str(tmp_path / name), "--out", str(tmp_path / "out.jsonl")])
    shown = capsys.readouterr()
    assert code == 2
    assert shown.err.startswith("customer-nlp: ")
    assert CANARY not in shown.err
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--now", "yesterday"], "ISO 8601"),
        (["--model", "klingon"], "No model called"),
        (["--jobs", "0"], "at least 1"),
        (["--format", "pst"], "format must be"),
    ],
)
def test_wrong_options_are_exit_code_2(inbox: Path, tmp_path: Path, arguments, match, capsys):
    code = main(["score", str(inbox), "--out", str(tmp_path / "o.jsonl"), *arguments])
    assert code == 2
    assert match in capsys.readouterr().err


def test_a_subject_cannot_steer_the_terminal(tmp_path: Path, capsys):
    source = tmp_path / "in.jsonl"
    row = {"text": "hello \x1b[2J there", "subject": "\x1b]0;owned\x07 [red]x[/red]", "thread": "t"}
    source.write_text(json.dumps(row) + "\n")
    assert main(["score", str(source), "--out", str(tmp_path / "o.jsonl")]) == 0
    assert main(["explain", str(source)]) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]" in shown


def test_rejects_name_no_text(tmp_path: Path, capsys):
    source = tmp_path / "in.jsonl"
    source.write_text(
        json.dumps({"text": "fine"})
        + "\n"
        + f'{{"text": "{CANARY}", "role": "{CANARY}"}}\n{{broken {CANARY}\n'
    )
    out = tmp_path / "o.jsonl"
    assert main(["score", str(source), "--out", str(out)]) == 0
    shown = capsys.readouterr()
    rejects = (tmp_path / "o.jsonl.rejects.jsonl").read_text()
    assert "3 messages read = 1 scored + 2 rejected" in shown.out
    assert CANARY not in shown.out + shown.err + rejects


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in ("score", "explain", "data"))


def test_bytes_that_are_no_utf8_are_still_read(tmp_path: Path, monkeypatch, capsys):
    class Stdin:
        buffer = io.BytesIO("The café order is broken".encode("latin-1"))

    monkeypatch.setattr("sys.stdin", Stdin)
    assert main(["explain", "-"]) == 0
    assert main(["explain", "the caf\udce9 order"]) == 0
    draft = tmp_path / "draft.txt"
    draft.write_bytes("The café order is on its way.".encode("latin-1"))
    assert main(["review", str(draft)]) == 0
    shown = capsys.readouterr().out
    assert "café" in shown
    assert "the caf\ufffd order" in shown


def test_review_shows_the_words_and_where_it_was_given(tmp_path: Path, monkeypatch, capsys):
    thread = tmp_path / "t.jsonl"
    row = {"text": "Order number FH-20931 came broken, photos attached.", "thread": "t", "id": "m1"}
    thread.write_text(json.dumps(row) + "\n")
    draft = "Dear customer, please send us your order number and a photo."
    assert main(["review", draft, "--thread", str(thread)]) == 0
    shown = capsys.readouterr().out
    assert f"asks_again: the reply asked for something already given\n  “{draft}”\n  see " in shown
    assert "FH-20931" in shown
    monkeypatch.setattr("sys.stdin", io.StringIO(draft))
    assert main(["review", "-", "--thread", str(thread), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert "asks_again" in [one["name"] for one in found]


def test_outreach_prints_a_sum(tmp_path: Path, capsys):
    planned, known, out = (tmp_path / name for name in ("p.csv", "a.jsonl", "o.csv"))
    planned.write_text("account,kind,channel,at\njo,sales,email,2026-05-05T10:00:00Z\n")
    known.write_text('{"id": "jo"}\n')
    assert main(["outreach", str(planned), "--accounts", str(known), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "1 planned = 1 go + 0 hold + 0 correct_record + 0 rejected" in shown
    assert out.read_text().splitlines()[1].startswith("jo,sales,email")


def test_a_folder_is_no_draft(tmp_path: Path, capsys):
    assert main(["review", str(tmp_path)]) == 2
    assert "got a folder" in capsys.readouterr().err


def test_no_words_are_not_the_current_folder(tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "one.eml").write_text(f"Subject: x\n\n{CANARY}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["explain", ""]) == 0
    assert capsys.readouterr().out.endswith("no recommendation: too_short\n")


def test_a_source_without_a_readable_message(tmp_path: Path, capsys):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": 5}\n')
    assert main(["explain", str(source)]) == 2
    assert "no message that can be read" in capsys.readouterr().err


def test_a_file_name_cannot_steer_the_terminal(tmp_path: Path, capsys):
    source = tmp_path / "a\x1b[31m.mbox"
    source.write_bytes(b"")
    assert main(["score", str(source), "--out", str(tmp_path / "o\x1b[2J.jsonl")]) == 2
    shown = capsys.readouterr()
    assert "a [31m.mbox: The file is empty" in shown.err
    assert "\x1b" not in shown.out + shown.err


def test_a_window_of_another_charset(monkeypatch):
    window = io.TextIOWrapper(io.BytesIO(), "latin-1")
    monkeypatch.setattr("sys.stdout", window)
    assert main(["explain", "Where is my parcel \u4e2d today?"]) == 0
    window.seek(0)
    assert "parcel ? today" in window.read()


def test_long_lines_and_codes_are_printed_as_they_are(tmp_path: Path, capsys):
    out = tmp_path / ("a" * 150 + ":warning:.jsonl")
    source = tmp_path / "in.csv"
    source.write_text("text\nhello there\n")
    assert main(["score", str(source), "--out", str(out)]) == 0
    assert f"written: {out}\n" in capsys.readouterr().out


def test_a_long_table_says_that_there_is_more(tmp_path: Path, capsys):
    source = tmp_path / "in.csv"
    source.write_text("text\n" + "".join(f"hello there {n}\n" for n in range(43)))
    assert main(["score", str(source), "--out", str(tmp_path / "o.jsonl")]) == 0
    assert "… and 3 more records in the file" in capsys.readouterr().out


def test_progress_in_a_pipe_is_silent_or_json(inbox: Path, tmp_path: Path, capsys):
    arguments = ["score", str(inbox), "--out", str(tmp_path / "o.jsonl")]
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""
    assert main([*arguments, "--progress", "json"]) == 0
    [*_, last] = map(json.loads, capsys.readouterr().err.splitlines())
    assert (last["threads"], last["messages"], last["rejected"]) == (2, 3, 1)
    assert last["fraction"] == 1.0
    assert last["seconds_left"] == 0


def test_progress_on_a_terminal_is_a_bar(inbox: Path, tmp_path: Path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert main(["score", str(inbox), "--out", str(tmp_path / "o.jsonl")]) == 0
    assert "3 messages" in terminal.getvalue()
    assert "Kettle" not in terminal.getvalue()


def test_what_changed_is_scored_night_after_night(inbox: Path, tmp_path: Path, capsys):
    state, out = tmp_path / "state.db", tmp_path / "o.jsonl"
    for expected in (2, 0):
        assert main(["score", str(inbox), "--out", str(out), "--since-state", str(state)]) == 0
        assert len(out.read_text().splitlines()) == expected
    assert "unchanged since the last run: 2 threads" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "hint"),
    [(["score", "in.mbox", "--out", "out.csv"], True), (["explain", "Hello there"], False)],
)
def test_only_a_run_that_can_go_on_is_told_to_resume(command, hint, monkeypatch, capsys):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("customer_nlp.batch.score", interrupted)
    monkeypatch.setattr("customer_nlp.analyzer.load", interrupted)
    assert main(command) == 1
    assert ("--resume" in capsys.readouterr().err) == hint
