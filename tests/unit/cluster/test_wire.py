"""What goes to the server as YAML is what was meant."""

from __future__ import annotations

import orjson
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cluster.wire import encoded

TEXTS = st.text(max_size=8) | st.sampled_from(
    ["\x7f", "\x85", "[ \u2029 ]", "\u2028", "\ufeff", "\ufffe", "a: b", "'", "\\u0085"]
)


@given(st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=3), max_size=4))
def test_it_is_the_same_as_json_and_as_yaml(body: dict[str, str | list[str]]) -> None:
    text = encoded(body)
    assert orjson.loads(text) == body
    assert yaml.safe_load(text) == body
