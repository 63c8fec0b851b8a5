"""A part of a text is shown at its line and column, however YAML has it written."""

import pytest

from factory.base.findings import Finding, Span
from factory.team.source_text import SourceText
from factory.team.text_places import problem_within
from factory.team.yaml_tree import parse

WRITTEN = {
    "plain": "query: select a, WORD from x\n",
    "plain over lines": "query: select a,\n  b, WORD\n  from x\n",
    "block": "query: |\n  select a\n\n  , WORD\n  from x\n",
    "block that starts empty": "query: |-  # a comment\n\n\n    select WORD\n",
    "folded block": "query: >-\n  select a,\n\n    WORD\n  from x\n",
    "single quotes": "query: 'select ''ä'' as b, WORD from x'\n",
    "double quotes": 'query: "select \\"ä\\" as \\u00e4,\\n\\tWORD from x"\n',
    "double quotes over lines": 'query: "select a, \\\n   WORD\n\n  from x"\n',
    "Windows": "query: |\r\n  select a,\r\n  WORD\r\n",
    "in a list": "list:\n- {query: 'select WORD'}\n",
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_word_is_found_in_the_file(text, tmp_path):
    tree = parse(SourceText(tmp_path / "team.yaml", text))
    path = ("list", 0, "query") if "list" in text else ("query",)
    _, node = tree.nodes(path)
    span = Span(node.value.strip().index("WORD"), 4)
    found = problem_within(Finding("sql_text", path, "unknown"), span, tree, path)
    assert found.source[found.column - 1 :][: found.length] == "WORD"
    assert tree.source.line(found.line) == found.source


def test_part_of_another_file_is_found_there(tmp_path):
    file = tmp_path / "clean.sql"
    file.write_text("select a,\n  WORD\nfrom x\n")
    tree = parse(SourceText(tmp_path / "team.yaml", "file: clean.sql\n"))
    span = Span(12, 4, file)
    found = problem_within(Finding("sql_text", ("file",), "unknown"), span, tree, ("file",))
    assert (found.file, found.line, found.column, found.length) == (file, 2, 3, 4)
    assert found.named_in == tmp_path / "team.yaml"
