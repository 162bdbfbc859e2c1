"""A model folder is data; anything else is refused before it is used."""

from __future__ import annotations

import contextlib
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import customer_nlp
from customer_nlp.artifacts import (
    align_rows,
    default_model_path,
    dump_arrays,
    open_model,
    write_model,
)
from customer_nlp.errors import InvalidRecordError, ModelFormatError, UntrustedModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "mini"
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(0, np.int8)}
    write_model(
        path,
        name="mini",
        version="0.1",
        files={"w.safetensors": dump_arrays(arrays), "t.json": b"{}"},
        about={},
    )
    return path


def _edit(folder: Path, change) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_arrays_come_back(folder: Path):
    model = open_model(folder)
    arrays = model.arrays("w.safetensors")
    assert arrays["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert arrays["b"].shape == (0,)
    assert repr(model) == "ModelFolder(name='mini', version='0.1')"


def test_what_is_written_now_goes_before_the_manifest_of_an_earlier_folder(folder: Path):
    before = open_model(folder)
    write_model(folder, name="mini", version="0.2", files=before.files, about=before.manifest)
    assert open_model(folder).version == "0.2"


def test_equal_arrays_give_equal_bytes():
    arrays = {"b": np.ones(3, np.float16), "a": np.ones((2, 2), np.int64)}
    assert dump_arrays(arrays) == dump_arrays(dict(reversed(arrays.items())))


def test_tampered_weights(folder: Path):
    path = folder / "w.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UntrustedModelError, match="does not match the sha256"):
        open_model(folder)


def test_wrong_size(folder: Path):
    with (folder / "t.json").open("ab") as handle:
        handle.write(b" ")
    with pytest.raises(UntrustedModelError, match="should have 2 bytes"):
        open_model(folder)


def test_pickle_in_disguise(tmp_path: Path):
    path = tmp_path / "evil"
    files = {"w.safetensors": pickle.dumps({"a": 1})}
    write_model(path, name="evil", version="1", files=files, about={})
    with pytest.raises(UntrustedModelError, match="is a pickle"):
        open_model(path)


@pytest.mark.parametrize("name", ["../t.json", "/etc/passwd", "a/b", "..", "", "a\\b"])
def test_path_traversal(folder: Path, name: str):
    _edit(folder, lambda m: m["files"].update({name: {"bytes": 2, "sha256": "0"}}))
    with pytest.raises(UntrustedModelError, match="outside the model folder"):
        open_model(folder)


def test_symbolic_link(folder: Path, tmp_path: Path):
    target = tmp_path / "elsewhere"
    shutil.move(folder / "t.json", target)
    (folder / "t.json").symlink_to(target)
    with pytest.raises(UntrustedModelError, match="plain file"):
        open_model(folder)


@pytest.mark.parametrize("shape", [[2**40, 2**20], [-1, 6], [7]])
def test_declared_shape_that_does_not_fit(tmp_path: Path, shape: list[int]):
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 24]}}).encode()
    data = len(header).to_bytes(8, "little") + header + bytes(24)
    path = tmp_path / "huge"
    write_model(path, name="huge", version="1", files={"w.safetensors": data}, about={})
    with pytest.raises(UntrustedModelError, match="declared shape"):
        open_model(path).arrays("w.safetensors")


@pytest.mark.parametrize("value", [0, 99, "1", None])
def test_unknown_format(folder: Path, value):
    _edit(folder, lambda m: m.update(format=value))
    with pytest.raises(ModelFormatError, match="format must be between"):
        open_model(folder)


def test_no_manifest(tmp_path: Path):
    with pytest.raises(ModelFormatError, match="does not"):
        open_model(tmp_path)


def test_manifest_that_is_no_json(tmp_path: Path):
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ModelFormatError, match="not JSON"):
        open_model(tmp_path)


def test_a_model_of_another_type_is_refused():
    with pytest.raises(InvalidRecordError, match="the path of a folder; got int"):
        customer_nlp.load(5)  # type: ignore[arg-type]


def test_unknown_shipped_model():
    with pytest.raises(ModelFormatError, match="shipped: en"):
        customer_nlp.load("klingon")


@given(st.binary(max_size=200))
def test_any_bytes_as_arrays_raise_only_our_errors(data: bytes):
    from customer_nlp.artifacts import ModelFolder

    folder = ModelFolder("x", "1", {}, {"w.safetensors": data})
    with contextlib.suppress(ModelFormatError):
        folder.arrays("w.safetensors")


def test_the_shipped_model_loads_and_says_what_it_is():
    model = open_model(default_model_path("en"))
    assert model.name == "en"
    assert model.manifest["licence"] == "Apache-2.0"
    assert sum(len(data) for data in model.files.values()) <= 20_000_000


def test_a_folder_of_the_first_format_is_read_as_it_was():
    analyzer = customer_nlp.load(Path(__file__).parent / "models" / "format_1")
    table = analyzer.signals(["why was i charged twice for this?", "thank you, it works now"])
    # what the version that wrote the folder said of these
    assert table["confusion"].round(3).tolist() == pytest.approx([0.692, 0.0])
    assert table["frustration"].round(3).tolist() == pytest.approx([0.091, 0.006])
    assert table["gratitude"].round(3).tolist() == pytest.approx([0.008, 0.97])
    assert analyzer.analyze("thank you, it works now").recommendation.primary == "close"


def test_rows_are_found_by_the_names_of_their_features():
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    aligned = align_rows(rows, ["b", "a"], ["a", "new", "b"], missing=9.0)
    assert aligned.tolist() == [[3.0, 4.0], [9.0, 9.0], [1.0, 2.0]]
    assert aligned.dtype == np.float32


@pytest.mark.parametrize("given", [["a", "gone"], ["a"]])
def test_features_of_a_later_version_are_refused(given: list[str]):
    with pytest.raises(ModelFormatError, match="features that this version does not know"):
        align_rows(np.zeros((2, 1)), given, ["a", "b"])


def test_a_header_length_that_looks_like_a_pickle_is_none(tmp_path: Path):
    for padding in range(2000):
        data = dump_arrays({"a" * (padding + 1): np.zeros(1, np.int8)})
        if data[0] == 0x80 and data[1] <= 5:
            break
    else:
        raise AssertionError("no such header among those tried")
    write_model(tmp_path, name="x", version="1", files={"w.safetensors": data}, about={})
    assert len(open_model(tmp_path).arrays("w.safetensors")) == 1
