"""Near-duplicates, the groups they form, and the split of a group.

Two texts are near-duplicates when the Jaccard index of their word 5-gram sets is at least 0.5
(shingling: Broder 1997, "On the resemblance and containment of documents"). MinHash would only
estimate that; at corpus size an inverted index gives it exactly.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["duplicate_groups", "near_duplicates", "shingles", "split_of"]

_WORD: Final = re.compile(r"\w+")
_HUNDRED: Final = 100
_TRAIN_PERCENT: Final = 80
_DEV_PERCENT: Final = 10


def shingles(text: str, size: int = 5) -> frozenset[tuple[str, ...]]:
    """Return the word n-grams of a text; a shorter text is one shingle, an empty one none.

    Parameters
    ----------
    text : str
        Case and punctuation do not count.
    size : int, default=5
        Words in a shingle.

    Returns
    -------
    frozenset of tuple of str
        Cost: linear in the text.
    """
    words = tuple(_WORD.findall(text.lower()))
    if len(words) <= size:
        return frozenset([words] if words else [])
    return frozenset(words[start : start + size] for start in range(len(words) - size + 1))


def near_duplicates(
    texts: Sequence[str], *, threshold: float = 0.5, size: int = 5
) -> list[tuple[int, int, float]]:
    """List the pairs of texts whose shingle sets overlap.

    Parameters
    ----------
    texts : sequence of str
        The texts to compare, each with each.
    threshold : float, default=0.5
        Smallest Jaccard index that is reported.
    size : int, default=5
        Words in a shingle.

    Returns
    -------
    list of (int, int, float)
        Indices (lower first) and the Jaccard index, sorted. Exact. Cost: proportional to the
        pairs that share a shingle.
    """
    sets = [shingles(text, size) for text in texts]
    seen_in: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    pairs = []
    for index, own in enumerate(sets):
        shared = Counter(other for shingle in own for other in seen_in[shingle])
        for other, common in shared.items():
            similarity = common / (len(own) + len(sets[other]) - common)
            if similarity >= threshold:
                pairs.append((other, index, similarity))
        for shingle in own:
            seen_in[shingle].append(index)
    return sorted(pairs)


def duplicate_groups(keys: Sequence[str], links: Iterable[tuple[int, int]]) -> list[str]:
    """Name the connected group of each item by its smallest key.

    Parameters
    ----------
    keys : sequence of str
        One an item; items with the same key belong together from the start.
    links : iterable of (int, int)
        Pairs of items that belong together.

    Returns
    -------
    list of str
        The group of each item. Later items change a name only by joining the group.
    """
    parent = {key: key for key in keys}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = key = parent[parent[key]]
        return key

    for left, right in links:
        low, high = sorted((root(keys[left]), root(keys[right])))
        parent[high] = low
    return [root(key) for key in keys]


def split_of(group: str) -> str:
    """Return the split of a group: train (80%), dev or test (10% each), by a hash of its name.

    Parameters
    ----------
    group : str
        Name of a group of threads or messages.

    Returns
    -------
    {'train', 'dev', 'test'}
        Always the same for the same name.
    """
    percent = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) % _HUNDRED
    if percent < _TRAIN_PERCENT:
        return "train"
    return "dev" if percent < _TRAIN_PERCENT + _DEV_PERCENT else "test"
