"""The public files arrive byte for byte, or it is said which did not and why."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from customer_nlp.errors import InvalidRecordError, SourceError
from customer_nlp.training.fetch import fetch, main

FILES = {
    "tweets/LICENSE": b"free\n",
    "tweets/a b.csv": b"id,text\n1,hello\n",
    "bank/train.csv": b"x",
}


@pytest.fixture(autouse=True)
def _no_mirror_from_outside(monkeypatch):
    monkeypatch.delenv("CUSTOMER_NLP_DATA_MIRROR", raising=False)


@pytest.fixture
def mirror(tmp_path):
    for place, content in FILES.items():
        path = tmp_path / "mirror" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "mirror"


def _entry(name: str, /, **changes) -> dict:
    files = [
        {
            "path": place.split("/")[1],
            "upstream_path": place.split("/")[1],
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for place, content in FILES.items()
        if place.startswith(name)
    ]
    url = f"https://host.example/{name}/{{upstream_path}}"
    return {"name": name, "url": url, "files": files} | changes


@pytest.fixture
def sources(tmp_path):
    path = tmp_path / "sources.json"
    path.write_text(json.dumps([_entry("tweets"), _entry("bank")]))
    return path


def _found(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_mirror_gives_the_same_bytes(tmp_path, mirror, sources):
    seen = []
    report = fetch(tmp_path / "raw", mirror=mirror, sources=sources, progress=seen.append)
    assert report.ok
    assert report.written == len(FILES)
    assert _found(tmp_path / "raw") == FILES
    assert sorted(seen) == sorted(FILES)
    again = fetch(tmp_path / "raw", mirror=mirror, sources=sources)
    assert (again.written, again.kept) == (0, len(FILES))


def test_the_mirror_may_come_from_the_environment(tmp_path, mirror, sources, monkeypatch):
    monkeypatch.setenv("CUSTOMER_NLP_DATA_MIRROR", str(mirror))
    assert fetch(tmp_path / "raw", sources=sources).ok


def test_some_sets_only(tmp_path, mirror, sources):
    fetch(tmp_path / "raw", mirror=mirror, sources=sources, names=["bank"])
    assert list(_found(tmp_path / "raw")) == ["bank/train.csv"]
    with pytest.raises(InvalidRecordError, match="The sets are bank, tweets; got banks"):
        fetch(tmp_path / "raw", mirror=mirror, sources=sources, names=["banks"])


def test_a_changed_file_is_named_with_both_hashes_and_not_kept(tmp_path, mirror, sources):
    (mirror / "bank" / "train.csv").write_bytes(b"poison")
    report = fetch(tmp_path / "raw", mirror=mirror, sources=sources)
    assert not report.ok
    assert report.written == len(FILES) - 1
    (failure,) = report.failures
    assert (failure.source, failure.file) == ("bank", "train.csv")
    for content in (b"x", b"poison"):
        assert hashlib.sha256(content).hexdigest() in failure.reason
    assert "The way out" in str(report)
    assert not (tmp_path / "raw" / "bank" / "train.csv").exists()


def test_a_file_missing_from_the_mirror_does_not_stop_the_others(tmp_path, mirror, sources):
    (mirror / "tweets" / "LICENSE").unlink()
    report = fetch(tmp_path / "raw", mirror=mirror, sources=sources)
    assert report.written == len(FILES) - 1
    assert "tweets: LICENSE: not in the mirror" in str(report)


def test_a_wrong_file_in_place_is_brought_again(tmp_path, mirror, sources):
    fetch(tmp_path / "raw", mirror=mirror, sources=sources)
    (tmp_path / "raw" / "bank" / "train.csv").write_bytes(b"cut off")
    report = fetch(tmp_path / "raw", mirror=mirror, sources=sources)
    assert (report.written, report.kept) == (1, len(FILES) - 1)
    assert _found(tmp_path / "raw") == FILES


def test_an_interrupted_write_leaves_no_half_file(tmp_path, mirror, sources, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt("stopped")

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt, match="stopped"):
        fetch(tmp_path / "raw", mirror=mirror, sources=sources)
    assert _found(tmp_path / "raw") == {}


def test_an_unwritable_place_is_a_failure_of_that_file(tmp_path, mirror, sources):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "bank").write_bytes(b"a file where a folder is needed")
    report = fetch(tmp_path / "raw", mirror=mirror, sources=sources)
    assert [failure.source for failure in report.failures] == ["bank"]
    assert report.written == len(FILES) - 1


@pytest.mark.parametrize(
    "bad",
    [
        [_entry("tweets", name="../up")],
        [_entry("tweets", name="/etc")],
        [_entry("tweets", url="file:///etc/{upstream_path}")],
        [_entry("tweets", url="http://host.example/{upstream_path}")],
        [{"name": "tweets"}],
        {"tweets": 1},
    ],
)
def test_a_list_that_could_do_harm_or_is_broken_is_refused(tmp_path, mirror, bad):
    path = tmp_path / "sources.json"
    path.write_text(json.dumps(bad))
    with pytest.raises(SourceError, match="Expected the list of public files"):
        fetch(tmp_path / "raw", mirror=mirror, sources=path)
    assert not (tmp_path / "raw").exists()


def test_no_list_and_no_mirror_are_clear_errors(tmp_path, sources):
    with pytest.raises(SourceError, match="checkout of the repository"):
        fetch(tmp_path / "raw", sources=tmp_path / "none.json")
    with pytest.raises(SourceError, match="Correct or unset CUSTOMER_NLP_DATA_MIRROR"):
        fetch(tmp_path / "raw", mirror=tmp_path / "none", sources=sources)


def test_the_shipped_list_is_pinned_and_whole():
    entries = json.loads((Path(__file__).parents[1] / "data" / "sources.json").read_text())
    for entry in entries:
        assert entry["commit"] in entry["url"]
        assert entry["licence"]
        assert all(len(file["sha256"]) == 64 for file in entry["files"])


# --- over the network, played by a stand-in


class _Server:
    """Answers from FILES; `troubles` are raised first, in turn."""

    def __init__(self, troubles=()):
        self.troubles = list(troubles)
        self.asked = []

    def __call__(self, url, timeout):
        assert timeout
        self.asked.append(url)
        if self.troubles:
            raise self.troubles.pop(0)
        return io.BytesIO(FILES[url.removeprefix("https://host.example/").replace("%20", " ")])


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)

    def start(*troubles):
        server = _Server(troubles)
        monkeypatch.setattr(urllib.request, "urlopen", server)
        return server

    return start


def _answer(code):
    return urllib.error.HTTPError("https://host.example/", code, "no", {}, None)


def test_files_come_over_the_network(tmp_path, sources, serve):
    server = serve()
    assert fetch(tmp_path / "raw", sources=sources).ok
    assert _found(tmp_path / "raw") == FILES
    assert "https://host.example/tweets/a%20b.csv" in server.asked


def test_a_passing_trouble_is_tried_again(tmp_path, sources, serve):
    serve(_answer(503), TimeoutError("timed out"))
    assert fetch(tmp_path / "raw", sources=sources).ok


def test_a_missing_file_is_not_tried_again(tmp_path, sources, serve):
    server = serve(_answer(404))
    report = fetch(tmp_path / "raw", sources=sources)
    assert len(server.asked) == len(FILES)
    assert "the server answered 404" in str(report)


def test_lasting_trouble_ends_after_three_tries(tmp_path, sources, serve):
    server = serve(*[ConnectionResetError("reset")] * 3)
    report = fetch(tmp_path / "raw", sources=sources, names=["bank"])
    assert len(server.asked) == 3
    assert "no connection to https://host.example/bank/train.csv (reset)" in str(report)


def test_without_a_network_one_try_is_enough(tmp_path, sources, serve):
    server = serve(urllib.error.URLError(socket.gaierror(-2, "Name or service not known")))
    report = fetch(tmp_path / "raw", sources=sources)
    assert len(server.asked) == 1
    assert len(report.failures) == len(FILES)
    assert "bank: train.csv: not tried, for there is no network" in str(report)


def test_an_endless_answer_is_cut_off(tmp_path, sources, monkeypatch):
    taken = []

    class Endless(io.BytesIO):
        def read(self, size=-1):
            taken.append(size)
            return b"y" * size

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Endless())
    report = fetch(tmp_path / "raw", sources=sources, names=["bank"])
    assert taken == [len(FILES["bank/train.csv"]) + 1]
    assert "more than" in str(report)


# --- the command


def test_the_command_tells_by_its_exit_status(tmp_path, mirror, sources, capsys):
    call = ["--destination", str(tmp_path / "raw"), "--sources", str(sources)]
    assert main([*call, "--mirror", str(mirror)]) == 0
    assert "3 files brought, 0 already there; all hashes agree." in capsys.readouterr().out
    (tmp_path / "raw" / "bank" / "train.csv").unlink()
    (mirror / "bank" / "train.csv").unlink()
    assert main([*call, "--mirror", str(mirror), "bank"]) == 1
    assert "not in the mirror" in capsys.readouterr().err
    assert main([*call, "--mirror", str(tmp_path / "none")]) == 2
    assert "mirror must be a folder" in capsys.readouterr().err


def test_written_files_can_be_read_by_others(tmp_path, mirror, sources):
    fetch(tmp_path / "raw", mirror=mirror, sources=sources)
    assert (tmp_path / "raw" / "bank" / "train.csv").stat().st_mode & 0o444 == 0o444
