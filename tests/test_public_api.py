"""The names that outside code calls."""

from __future__ import annotations

import pytest

import customer_nlp


def test_all_names_resolve_and_are_sorted():
    assert customer_nlp.__all__ == sorted(customer_nlp.__all__, key=str)
    assert len(customer_nlp.__all__) <= 20
    for name in customer_nlp.__all__:
        assert getattr(customer_nlp, name) is not None
    assert dir(customer_nlp) == customer_nlp.__all__


@pytest.mark.parametrize(
    "name",
    ["Message", "Thread", "Account", "Analysis", "Recommendation", "Signal", "Evidence",
     "Commitment", "Finding", "load", "read"],
)  # fmt: skip
def test_names_of_the_contract(name: str):
    assert name in customer_nlp.__all__


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = customer_nlp.nonsense
