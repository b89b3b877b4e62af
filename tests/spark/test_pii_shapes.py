"""Shapes of addresses in the United States, each in many frames: with a person's it is found whole, with a firm's not.

The forms in `pii_forms_addresses.txt` hold one shape in one frame each. A shape should not depend on its frame: here
each stands in every one.
"""

from __future__ import annotations

import pytest

from spark.pii import find

SHAPES = """
418 Hawthorn Lane, Wilmette, Illinois 60091
1409 1/2 East 7th Street, Austin, Texas 78702
12-B Larkspur Ct., Reno, NV 89509
N5832 County Highway K, Fond du Lac, WI 54937
W. 2418 Sinto Avenue, Spokane, Washington 99201
4500 State Highway 30A, Santa Rosa Beach, Florida 32459
Highway 12 West, Kosciusko, Mississippi 39090
U.S. Highway 41 North, Cordele, GA 31015
County Road 540, Box 12, Rector, Arkansas 72461
7719 C.R. 112, Salida, CO 81201
FM 2222, Lot 9, Jonestown, Texas 78645
Rural Route 2, Box 114, Ava, Missouri 65608
RFD #3, Box 88C, Lisbon Falls, Maine 04252
HC 71 Box 1004, Thompson, UT 84540
Star Route, Salmon, Idaho 83467
P.O. Box 4417, Jackson, WY 83001
P O Box 221, Eads, CO 81036
POB 55, Wilson, WY 83014
Post Office Drawer 900, Opelousas, Louisiana 70571
One Main Street, Apt. 4, Nantucket, Massachusetts 02554
Twenty-Two Elm Park, Montclair, NJ 07042
1 Fifth Avenue, New York, New York
350 Fifth Avenue, Apt. 12-J, New York, N.Y. 10118
Apt. 5B, 201 West 77th Street, New York, NY 10024
Penthouse 2, 3400 Galt Ocean Drive, Fort Lauderdale, Florida 33308
#14 Bellerive Acres, St. Louis, Missouri 63121
No. 7 Greenway Plaza, Unit 1801, Houston, Texas 77046
2100 E. 3rd St. N., Wichita, KS 67214
1350 E 5600 S, South Ogden, UT 84403
35-16 34th Street, Astoria, New York 11106
24W510 Ohio Street, Naperville, IL 60540
55 Via Mallorca, La Jolla, CA 92037
5 Camino Peral, Moraga CA 94556
301 The Strand, Hermosa Beach, California 90254
19 Whippoorwill, Hattiesburg, Mississippi 39402
2817 Avenue J, Galveston, Texas 77550
Lot 12 Lakeshore Estates, Dadeville, Alabama 36853
Lot 3, Block 7, Tract B, Palmer, Alaska 99645
Mile 4.5 Nash Road, Seward, Alaska 99664
Old Post Road, Bedford, New York 10506
Sunny Brook Farm, Upperville, Virginia 20184
Rose Cottage, Ocean Avenue, Newport, RI 02840
3600 Mystic Pointe Dr. #708, Aventura, FL 33180
1001 S.W. Fifth Ave., Unit 9, Portland, Ore. 97204
212 Elm, Ames, Iowa
9 Beach Rd., Apt. 6, Marblehead, Essex County, Massachusetts 01945
412 East Capitol Street, N.E., Washington, D.C. 20003
""".strip().split("\n")

OF_A_PERSON = [
    "If to the Executive, to {}, or to such other address.",
    "Mr. John R. Carver, {}, owns 4% of our stock.",
    "John Carver resides at {}, and has for ten years.",
    "(3) Ms. Whitlow's address is {}.",
    "Holder: Dana Pruitt, {}; $10,000",
    'by Alice Marie Fenner, an individual residing at {} (the "Seller").',
    "Name | Address | Shares\nJohn Carver | {} | 4,000",
    "Name\tAddress\tShares\nJohn Carver\t{}\t4,000",
    "/s/ John Carver\nJohn Carver\nAddress: {}",
    "Notices to Mr. Carver go to his home, {}.",
    "between Acme Corp., a Delaware corporation, and Alice Fenner of {}.",
    "Dr. Alice Fenner\n{}\n\nDear Dr. Fenner:",
]
OF_A_FIRM = [
    "Our plant is at {}, and we own it.",
    "The Company's offices are located at {}.",
    "Acme Foods, Inc., {}",
    "Copies go to Baker Stone LLP, {}, Attention: Jane Roe.",
    "We lease a store at {}.",
    "Property | Use\n{} | Warehouse",
    "Dealer: Acme Tractor Co., {}",
    "The landlord is Acme Realty Trust, {}.",
    "by Harbor Fund II, L.P. ({})",
    "The business address of Mr. Carver is {}.",
    "Unless noted, the address of each person in the table is {}.",
    "if to Parent or Merger Sub, to {}",
    "This document may be found and reviewed in the Public Reference Room at {}.",
]


def letters(text: str, start: int, end: int) -> set[int]:
    """The places of letters and digits between the two."""
    return {place for place in range(start, end) if text[place].isalnum()}


@pytest.mark.parametrize("frame", OF_A_PERSON)
def test_each_shape_is_found_whole_with_a_person(frame: str) -> None:
    missed = []
    for shape in SHAPES:
        text, start = frame.format(shape), frame.index("{}")
        found = [letters(text, one.start, one.end) for one in find(text) if one.type == "ADDRESS"]
        if not letters(text, start, start + len(shape)) <= set().union(*found):
            missed.append(shape)
    assert missed == []


@pytest.mark.parametrize("frame", OF_A_FIRM)
def test_no_shape_is_taken_with_a_firm(frame: str) -> None:
    texts = [frame.format(shape) for shape in SHAPES]
    assert [text for text in texts if any(one.type == "ADDRESS" for one in find(text))] == []
