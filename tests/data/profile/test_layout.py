"""How a CSV file is laid out is found in its first lines, with what tells so."""

import pytest

from factory.data.profile.encodings import encoding_of, packing
from factory.data.profile.layout import layout_of


def look(*lines: str, is_whole: bool = True):
    return layout_of([f"{line}\n" for line in lines], is_whole=is_whole)


@pytest.mark.parametrize(
    ("lines", "options"),
    [
        (("id,name", "1,a", "2,b"), {}),
        (("id;name", "1;a", "2;b"), {}),
        (("id\tname", "1\ta"), {}),
        (("id;price", "1;1,5", "2;2,5"), {}),
        # The first line, by which sources go, has more commas.
        (("id;a, b, c", "1;2", "2;3"), {"delimiter": ";"}),
        (("Weight Waist", "191 36", "189 37"), {"delimiter": " "}),
        (("when,what", "2024-01-01 10:00,1", "2024-01-02 11:00,2"), {}),
        (("1,2", "3,4"), {"header": False}),
        (("a,b", "c,d", "c,e"), {}),
        (("c,b", "c,d", "d,e"), {"header": False}),
        (("country,1990,1991", "Chad,1,2", "Peru,3,4"), {}),
        (("id,1,2,3", "7,0.1,0.2,0.3"), {}),
        (("150,4,setosa,versicolor", "5.1,3.5,1.4,0", "4.9,3.0,1.4,0"), {"skip": 1, "header": False}),
        (("569,30,malignant", "1,2,3,4", "5,6,7,8"), {"skip": 1, "header": False}),
        (("1,2,NA", "3,4,5", "6,7,8"), {"header": False}),
        (("Report of May", "", "id;name", "1;a", "2;b"), {"skip": 2}),
        (("Report of May;;", "id;name;n", "1;a;3", "2;b;4"), {"skip": 1}),
        (("id;n", "1;2", "3;4", "5;6", "Sum"), {"skip_footer": 1}),
        (("id;n", "1;2", "3;4", "5;6", "Total;"), {"skip_footer": 1}),
        (("# made by x", "id,n", "1,2"), {"comment": "#"}),
        (("#id,n", "1,2", "2,3"), {}),
        (("id,n", "'a','b'", "'c, d','e'"), {"quote": "'"}),
        (("id,n", '"a","say \\"x\\" so"'), {"escape": "\\"}),
        (("path,n", '"C:\\dir\\",1', '"D:\\",2'), {}),
        (("one", "1", "2"), {}),
        (("1", "2", "3"), {"header": False}),
        (("id,name",), {}),
        (('"school","école"',), {"header": False}),
    ],
    ids=lambda value: "/".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_layout_says_what_is_not_as_by_default(lines, options):
    assert dict(look(*lines).options) == options


def test_last_lines_of_a_part_are_not_taken_for_a_footer():
    layout = look("id;n", "1;2", "3;4", "5;6", "7", is_whole=False)
    assert "skip_footer" not in layout.options


def test_columns_that_blanks_line_up_are_told_apart_from_delimited_ones():
    assert look(" 0   0    0", " 3   9   27").is_aligned
    assert not look("0 0 0", "3 9 27").is_aligned


def test_reasons_name_what_was_seen():
    layout = look("Report of May", "id;name", "1;a", "2;b")
    assert layout.reasons["skip"] == "line 1 is neither names nor rows: 'Report of May'"
    assert layout.reasons["header"] == "line 2: 'id' is above numbers"
    assert layout.reasons["delimiter"] == "semicolon: makes 2 values of every line"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id;name\n1;Müller\n2;Jörg\n", "cp1252"),
        ("id;price\n1;5 €\n", "cp1252"),
        ("imię;miasto\nŁukasz;Łódź\nŻaneta;Kraków\n", "cp1250"),
        ("имя;город\nИван;Москва\n", "cp1251"),
        ("имя;город\nИван;Москва\n", "koi8_r"),
        ("όνομα;πόλη\nΓιώργος;Αθήνα\n", "cp1253"),
        ("名前,都市\n田中,東京\n", "cp932"),
        ("姓名,城市\n张三,北京\n", "gb18030"),
    ],
)
def test_encoding_that_makes_words_is_guessed_and_said_to_be_a_guess(text, encoding):
    found = encoding_of(text.encode(encoding))
    assert (found.name, found.is_guess) == (encoding, True)


@pytest.mark.parametrize(
    ("written", "named"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be")],
)  # fmt: skip
def test_unicode_is_known_by_its_marks_and_zeros(written, named):
    found = encoding_of("id;name\n1;Müller\n".encode(written))
    assert (found.name, found.is_guess) == (named, False)


def test_packing_is_known_by_the_first_bytes():
    assert packing(b"\x1f\x8b\x08") == "gzip"
    assert packing(b"id,n") is None
