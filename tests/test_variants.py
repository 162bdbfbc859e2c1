"""Variants of labelled messages: made of messages of one fold, of none of test, always the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from customer_nlp.errors import ModelFormatError
from customer_nlp.signals import OUTPUTS
from customer_nlp.training.examples import FOLDS, TAUGHT, Example, fold_of
from customer_nlp.training.teacher import SoftLabels, load_soft_labels, texts_sha256
from customer_nlp.training.variants import COPIES, Neighbours, variants

NONE = np.full(len(OUTPUTS), np.nan, np.float32)
NEAR = Neighbours(
    ("parcel", "package", "late", "slow", "kitten"),
    np.array([[1, -1], [0, -1], [3, -1], [2, -1], [-1, -1]], np.int32),
)


def message(number: int, split: str = "train", source: str = "complaints_xci") -> Example:
    """Return a message of two sentences with a word of its own in each."""
    text = f"Parcel{chr(97 + number)} is late. KITTEN{chr(97 + number)} waits, parcel gone"
    return Example(f"{source}:{number}", source, split, f"group {number}", text, NONE, {})


ROWS = [message(n, "test" if n % 5 == 0 else "train") for n in range(20)]


def test_variants_are_the_same_every_time() -> None:
    made = list(variants(ROWS, NEAR))
    assert made == list(variants(ROWS, NEAR))
    assert len(made) == COPIES["complaints_xci"] * sum(row.split != "test" for row in ROWS)


def test_no_variant_mixes_folds_or_holds_a_word_of_test() -> None:
    fold_of_letter = {chr(97 + n): fold_of(row.group) for n, row in enumerate(ROWS)}
    tested = {chr(97 + n) for n, row in enumerate(ROWS) if row.split == "test"}
    seen = set()
    for text, fold in variants(ROWS, NEAR):
        letters = set(re.findall(r"(?:Parcel|KITTEN)([a-t])\b", text))
        assert {fold_of_letter[letter] for letter in letters} <= {fold}
        assert not letters & tested
        seen.add(fold)
    assert seen == set(range(FOLDS))


def test_words_are_changed_for_near_ones_in_their_own_case() -> None:
    words = {word for text, _ in variants(ROWS, NEAR) for word in re.findall(r"\w+", text)}
    assert {"late", "slow", "parcel", "package"} <= words
    shouted = [message(3).text.upper()]
    rows = [Example("a:1", "post", "train", "g", shouted[0], NONE, {})]
    assert any("SLOW" in text for text, _ in variants(rows, NEAR))
    assert not any("slow" in text for text, _ in variants(rows, NEAR))


def test_neighbours_are_kept_on_disk(tmp_path: Path) -> None:
    NEAR.save(tmp_path / "near.npz")
    read = Neighbours.load(tmp_path / "near.npz")
    assert read.words == NEAR.words
    assert (read.near == NEAR.near).all()
    assert read.table()["parcel"] == ["package"]
    assert read.table()["kitten"] == []


def test_soft_labels_of_other_texts_are_refused() -> None:
    soft = SoftLabels(
        {}, frozenset(), np.zeros((0, len(OUTPUTS)), np.float32),
        origins=frozenset(), texts_sha256=texts_sha256(["other"]), neighbours=NEAR,
    )  # fmt: skip

    class Nothing:
        raw = root = Path("nowhere")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("customer_nlp.training.teacher.unlabelled", lambda *_: [])
        with pytest.raises(ModelFormatError, match="make teacher"):
            soft.texts(Nothing(), ROWS)  # type: ignore[arg-type]


def _judged(folder: Path, encoder: str, keys: list[str], steps: list[int], texts: str) -> None:
    labelled = np.repeat(np.array(steps, np.int8)[:, None], len(TAUGHT), axis=1)
    np.savez_compressed(
        folder / f"{encoder}.npz",
        keys=np.array(keys), test=np.array([key.startswith("t") for key in keys]),
        labelled=labelled, pool=labelled[:1], sha256=np.array(texts),
    )  # fmt: skip


def test_what_one_teacher_alone_has_judged_counts_as_it_is(tmp_path: Path) -> None:
    NEAR.save(tmp_path / "neighbours.npz")
    _judged(tmp_path, "minilm", ["a:1", "t:2"], [16, -16], "same")
    _judged(tmp_path, "mpnet", ["t:2", "t:3", "a:1"], [-128, 32, 48], "same")
    soft = load_soft_labels(tmp_path)
    assert {key: row[0] for key, row in soft.held_out.items()} == {"a:1": 2, "t:2": -1, "t:3": 2}
    assert soft.test == {"t:2", "t:3"}
    assert soft.origins == {"a:1", "t:2"}, "variants are made of what the first one knows"
    assert soft.pool[:, 0].tolist() == [1.0]


def test_teachers_of_different_texts_are_not_mixed(tmp_path: Path) -> None:
    NEAR.save(tmp_path / "neighbours.npz")
    _judged(tmp_path, "minilm", ["a:1"], [16], "these")
    _judged(tmp_path, "mpnet", ["a:1"], [16], "those")
    with pytest.raises(ModelFormatError, match="different texts"):
        load_soft_labels(tmp_path)
