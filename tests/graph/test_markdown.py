"""Markdown for the UI: hostile words stay words, and a chart says what the numbers say."""

from urllib.parse import unquote

import pytest
from lxml import etree

from govtune_assets import markdown


def test_words_cannot_leave_their_cell() -> None:
    hostile = "Evil | Corp\n| x |\n<script>alert(1)</script> ![i](http://t/p.png) `c` *b* _i_ ~s~ &lt; \\"
    lines = markdown.table(["company"], [[hostile]]).splitlines()
    assert len(lines) == 3
    cell = lines[2].removeprefix("| ").removesuffix(" |")
    unescaped = [at for at, char in enumerate(cell) if char in "|`*_[]~" and cell[at - 1] != "\\"]
    assert not unescaped
    assert "<" not in cell and ">" not in cell
    assert cell.endswith("&amp;lt; \\\\")


def test_a_link_cannot_be_left() -> None:
    link = markdown.Link("10-K] (x", "https://www.sec.gov/a b>)|c.htm")
    assert markdown.table(["form"], [[link]]).splitlines()[2] == (
        "| [10-K\\] (x](<https://www.sec.gov/a%20b%3E%29%7Cc.htm>) |"
    )


def test_control_and_direction_characters_become_spaces() -> None:
    assert markdown.text("a\x00b\u202ec\u2028d\te") == "a b c d e"


def test_a_long_word_is_cut_off() -> None:
    assert markdown.text("x" * 1000, 10) == "x" * 9 + "…"


def test_numbers_are_aligned_and_grouped() -> None:
    lines = markdown.table(["form", "filings"], [["10-K", 1234567], ["10-Q", 2]]).splitlines()
    assert lines == ["| form | filings |", "| --- | --: |", "| 10-K | 1,234,567 |", "| 10-Q | 2 |"]


def test_a_bounded_table_says_how_many_rows_are_left_out() -> None:
    shown = markdown.bounded_table(["n"], [[number] for number in range(1200)], 2)
    assert shown.endswith("| 1 |\n\nand 1,198 more")
    assert markdown.bounded_table(["n"], [[1], [2]], 2).endswith("| 2 |")
    assert markdown.bounded_table(["n"], [], 2) == "None."


def chart(text: str) -> etree._Element:
    """The image of a Markdown chart, parsed."""
    return etree.fromstring(unquote(text[text.index(",") + 1 : text.rindex(">)")]))


def test_a_chart_has_a_bar_for_each_number_in_proportion() -> None:
    drawn = markdown.stacked_bars("Filings", ["10-K", "10-Q"], {"full": [10, 30], "absent": [0, 20]})
    svg = chart(drawn)
    words = [element.text for element in svg.iter("{*}text")]
    assert words == ["10-K", "10-Q", "full: 40", "absent: 20"]
    first, second = (element.get("d") for element in svg.iter("{*}path"))
    assert first == "M180 21h65v12H180"
    assert second == "M245 21h195v12H245M180 39h130v12H180"


def test_a_chart_of_all_statuses_is_small_enough_to_show_in_place() -> None:
    statuses = ["full", "pointer_or_no_change", "not_required", "absent", "failed"]
    drawn = markdown.stacked_bars("Filings by status", ["10-K", "10-Q"], {name: [512, 1488] for name in statuses})
    assert len(drawn) < 1000


def test_a_charts_words_cannot_leave_their_element() -> None:
    svg = chart(markdown.stacked_bars("t", ["a"], {"</text><script>x</script>)>": [1]}))
    assert [element.tag.rpartition("}")[2] for element in svg.iter()] == ["svg", "text", "text", "path"]


def test_more_parts_than_colours_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 4"):
        markdown.stacked_bars("t", list("abcde"), {})


def test_bars_have_their_intervals_in_proportion() -> None:
    drawn = markdown.interval_bars("ROUGE", {"tuned <b>": (0.5, 0.25, 1.0), "base": (0.25, None, None)})
    svg = chart(drawn)
    assert [element.text for element in svg.iter("{*}text")] == ["tuned <b> 0.500", "base 0.250"]
    bars, whiskers = (element.get("d") for element in svg.iter("{*}path"))
    assert bars == "M180 3h130v12H180M180 21h65v12H180"
    assert whiskers == "M245 9H440"


def test_lines_go_from_the_least_to_the_greatest_number() -> None:
    svg = chart(markdown.lines("Losses", {"training": [(0, 3.0), (10, 1.0)], "validation": [(10, 2.0)]}))
    assert [element.text for element in svg.iter("{*}text")] == ["training", "validation", "3", "1", "10"]
    assert [element.get("d") for element in svg.iter("{*}path")] == ["M40 20L440 140", "M440 80"]
    assert markdown.lines("Losses", {"training": []}) == "None."


def test_long_lines_are_thinned_out_but_for_their_ends() -> None:
    svg = chart(markdown.lines("Losses", {"a": [(float(x), 0.0) for x in range(101)]}, most=5))
    (line,) = [element.get("d") for element in svg.iter("{*}path")]
    assert line == "M40 20L140 20L240 20L340 20L440 20"
    with pytest.raises(ValueError, match="5 lines"):
        markdown.lines("Losses", {str(number): [(0, 0)] for number in range(5)})
