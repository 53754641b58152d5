"""Canonical JSON, described values and overrides."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbench.config.addresses import addresses_of
from ddbench.config.values import build, describe, override
from ddbench.errors import BenchError
from ddbench.keys import canonical, digest
from ddbench.methods.catalog import rsm_cgs
from ddbench.types import Positive

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_text_is_json_of_the_same_value(value):
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(st.text(), JSON, max_size=6), st.randoms())
def test_the_order_of_keys_does_not_matter(value, random):
    items = list(value.items())
    random.shuffle(items)
    assert digest(dict(items)) == digest(value)


@given(JSON, JSON)
def test_different_values_have_different_digests(a, b):
    assert (digest(a) == digest(b)) == (canonical(a) == canonical(b))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), {1, 2}, object()])
def test_what_is_not_json_is_refused(bad):
    with pytest.raises((TypeError, ValueError)):
        digest({"x": bad})


@dataclass(frozen=True)
class Inner:
    rate: Positive = 0.5
    name: str = "x"


@dataclass(frozen=True)
class Outer:
    inner: Inner = Inner()
    span: tuple[float, float] = (0.0, 1.0)
    extra: Inner | None = None


def test_a_described_value_is_built_again():
    for value in (Outer(), Outer(inner=Inner(rate=2.0), span=(0.25, 0.5), extra=Inner()), rsm_cgs):
        assert build(json.loads(json.dumps(describe(value))), addresses_of(value)) == value


def test_an_override_reaches_nested_fields_and_leaves_the_rest():
    assert override(Outer(), {"inner": {"rate": 3}, "span": [0.1, 0.2]}, "m") == Outer(Inner(rate=3.0), (0.1, 0.2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inner": {"rat": 1}}, "unknown key 'rat' in m.inner. Did you mean 'rate'? Known: name, rate."),
        ({"inner": {"rate": 0}}, "bad value 0 for m.inner.rate: it must be above 0. Example: m.inner.rate="),
        ({"inner": {"rate": "fast"}}, "bad value 'fast' for m.inner.rate: it must be a number. Example: m.inner.rate="),
        ({"span": [1]}, "bad value [1] for m.span"),
    ],
)
def test_a_bad_override_names_the_place_and_the_nearest_key(changes, message):
    with pytest.raises(BenchError) as error:
        override(Outer(), changes, "m")
    assert message in str(error.value)
