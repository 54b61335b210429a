"""Amounts as Kubernetes writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.plan.quantity import amount, same_amount


@pytest.mark.parametrize(
    ("one", "other"),
    [("1000m", "1"), ("0.5", "500m"), ("1Gi", "1024Mi"), ("1e3", "1k"), (2, "2"), (0.1, "100m"), ("1.5Gi", "1536Mi")],
)
def test_forms_of_the_same_amount(one: object, other: object) -> None:
    assert same_amount(one, other)


@pytest.mark.parametrize(("one", "other"), [("1", "1k"), ("1M", "1Mi"), ("1m", "1M"), ("x", "x"), (True, 1), ("", "")])
def test_what_is_not_the_same_amount(one: object, other: object) -> None:
    assert not same_amount(one, other)


@given(st.integers(0, 10**6), st.sampled_from(["Ki", "Mi", "Gi"]))
def test_binary_suffixes_are_powers_of_1024(number: int, suffix: str) -> None:
    power = ["Ki", "Mi", "Gi"].index(suffix) + 1
    assert amount(f"{number}{suffix}") == number * 1024**power
