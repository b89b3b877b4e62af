"""S3 places: one reading only, and comparison by segments; the session policy made from one."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.databricks.errors import ApiError
from localcloud.databricks.locations import Location
from localcloud.databricks.vending import session_policy

segment = st.text(st.sampled_from("abz09=-_. +@é"), min_size=1, max_size=6).filter(lambda s: s not in {".", ".."})
places = st.builds(lambda parts: Location("bucket", tuple(parts)), st.lists(segment, max_size=4))


@given(places)
def test_an_address_is_read_back(place: Location) -> None:
    assert Location.parse(str(place)) == place
    assert Location.parse(f"{place}/") == place
    assert Location.parse(str(place).replace("s3:", "s3a:", 1)) == place


@given(places, places)
def test_covering_is_by_whole_segments(one: Location, two: Location) -> None:
    as_text = f"{two}/".startswith(f"{one}/")
    assert one.covers(two) == as_text
    assert one.overlaps(two) == two.overlaps(one)


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_a_clear_refusal(text: str) -> None:
    try:
        place = Location.parse(f"s3://bucket/{text}")
    except ApiError as error:
        assert error.status == 400
    else:
        assert not {"", ".", ".."} & set(place.segments)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://",
        "s3://B/x",
        "s3://bucket:80/x",
        "s3://user@bucket/x",
        "s3://bucket/a/../b",
        "s3://bucket/a//b",
        "s3://bucket/./b",
        "s3://bucket/a%2fb",
        "s3://bucket/a*",
        "s3://bucket/a?b",
        "s3://bucket/${x}",
        "s3://bucket/a#b",
        "s3://bucket/a\\b",
        "s3://bucket/a\nb",
        "s3://bucket/a\x00b",
        "gs://bucket/a",
        f"s3://bucket/{'a' * 1025}",
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(ApiError):
        Location.parse(url)


@given(places.filter(lambda place: bool(place.segments)), places)
def test_a_session_policy_opens_its_place_only(place: Location, other: Location) -> None:
    read, listing, write = session_policy(place, write=True)["Statement"]
    key = f"{other.key}/part"
    inside = place.covers(other)
    for statement in (read, write):
        patterns = [entry.removeprefix("arn:aws:s3:::bucket/") for entry in statement["Resource"]]
        assert any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns) == inside
    prefixes = listing["Condition"]["StringLike"]["s3:prefix"]
    assert any(fnmatch.fnmatchcase(f"{other.key}/", pattern) for pattern in prefixes) == inside
    assert not any(fnmatch.fnmatchcase(place.key, pattern) for pattern in prefixes)


def test_a_read_policy_has_no_write() -> None:
    actions = str(session_policy(Location("bucket", ("a",)), write=False))
    assert "Put" not in actions
    assert "Delete" not in actions
