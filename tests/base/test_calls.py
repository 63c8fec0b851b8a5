"""Whether functions that a team names take what they are given."""

import pytest

from factory.base.answers import answers, forget
from factory.base.calls import ask_about_call

CODE = """
def rows(days, *, seed=0): ...
def anything(*args, **kwargs): ...
def clean(frame, by=None, *, limit): ...
def nothing(): ...
def create(name): ...
def destroy(created, name): ...
def forgetful(name): ...
def metric(truth, said): ...
def of_classes(truth, said, classes): ...
LIMIT = 3
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "shop_code.py"
    file.write_text(CODE)
    yield file
    forget()


def found(question, kept_in=None):
    [value] = answers([(question.function, question.argument)], kept_in)
    return [
        (".".join(map(str, one.path)), one.name, one.message, one.suggestion)
        for one in question.tell(value)
    ]


def said(*arguments, **more):
    return [
        (at, message.removeprefix("`shop_code."), suggestion)
        for at, _, message, suggestion in found(ask_about_call(*arguments, **more))
    ]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ((["days"], "rows", {}), []),
        ((["days", "seed"], "rows", {}), []),
        ((["dais"], "rows", {}), [
            ("arguments.dais", "rows` has no parameter `dais`", "did you mean `days`?"),
            ("arguments", "rows` needs `days`", "add `days` to `arguments`"),
        ]),
        (([], "rows", {}), [("call", "rows` needs `days`", "write `arguments: {days: ...}`")]),
        ((["a", "b"], "anything", {"gets": "the rows"}), []),
        ((["limit"], "clean", {"gets": "the rows"}), []),
        ((["limit", "frame"], "clean", {"gets": "the rows"}), [
            ("arguments.frame", "`frame` of `shop_code.clean` is the rows, which it is given first", "take it away"),
        ]),
        (([], "nothing", {"gets": "the rows"}), [
            ("call", "nothing` has no parameter that could take the rows", "let its first parameter take the rows"),
        ]),
        ((["a"], "nothing", {}), [("arguments.a", "nothing` has no parameter `a`", "it takes none")]),
        ((["name"], "destroy", {"at": "destroy", "adds": ("created",)}), []),
        ((["name"], "forgetful", {"at": "destroy", "adds": ("created",)}), [
            ("destroy", "forgetful` has no parameter `created`, which it is given", "add `created` to its parameters"),
        ]),
        (([], "clean", {"gets": "the features", "at": "preprocessing", "takes_arguments": False}), [
            ("preprocessing", "clean` needs `limit`", "give what it needs a default, or take it away"),
        ]),
        (([], "metric", {"gets": ("the truth", "the values")}), []),
        (([], "metric", {"gets": ("the truth", "the values"), "may_add": ("classes",)}), []),
        (([], "of_classes", {"gets": ("the truth", "the values"), "may_add": ("classes",)}), []),
        ((["said"], "metric", {"gets": ("the truth", "the values")}), [
            ("arguments.said", "`said` of `shop_code.metric` is the values, which it is given first", "take it away"),
        ]),
        (([], "create", {"gets": ("the truth", "the values")}), [
            ("call", "create` has no parameter that could take the values", "let its second parameter take the values"),
        ]),
        (([], "LIMIT", {}), [("call", "LIMIT`: 'int' object", "")]),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("package")
def test_a_call_is_compared_with_the_functions_parameters(call, expected):
    arguments, name, more = call
    if name == "LIMIT":  # a number has no module of its own, and so is of no package
        [(at, message, _)] = said("shop_code.LIMIT", arguments, **more)
        assert (at, "it is not defined in shop_code" in message) == ("call", True)
        return
    assert said(f"shop_code.{name}", arguments, **more) == expected


@pytest.mark.usefixtures("package")
def test_a_function_that_is_not_there_is_a_problem():
    [(at, name, message, suggestion)] = found(ask_about_call("shop_code.rowz", []))
    assert (at, name) == ("call", "call")
    assert message == "`shop_code.rowz`: 'shop_code' has no 'rowz'"
    assert suggestion == "did you mean `shop_code.rows`?"


def test_a_package_that_is_not_here_is_a_warning():
    [(at, name, message, _)] = found(ask_about_call("no_such_package.rows", []))
    assert (at, name) == ("call", "not_looked_at")
    assert "there is no package 'no_such_package' on this machine" in message


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        ("import no_such_package", "not_looked_at", "imports 'no_such_package', which is not on"),
        ("raise KeyError('SECRET')", "not_looked_at", "importing 'shop_code' failed: KeyError"),
        ("import sys; sys.exit(3)", "not_looked_at", "importing 'shop_code' failed: SystemExit"),
        ("def rows(:", "call", "line 1 of shop_code.py is no Python"),
    ],
)
def test_what_fails_to_import_may_do_so_here_only(package, code, name, message):
    package.write_text(code)
    [(_, found_name, found_message, _)] = found(ask_about_call("shop_code.rows", []))
    assert found_name == name
    assert message in found_message


def test_a_change_of_the_teams_code_is_seen(package, tmp_path):
    kept, question = tmp_path / "answers.json", ask_about_call("shop_code.rows", ["day"])
    assert len(found(question, kept)) == 2
    package.write_text("def rows(day): ...\n")
    assert found(question, kept) == []


def test_a_package_that_is_written_later_is_seen(package, tmp_path):
    kept, question = tmp_path / "answers.json", ask_about_call("shop_later.rows", [])
    assert len(found(question, kept)) == 1
    (package.parent / "shop_later.py").write_text("def rows(): ...\n")
    assert found(question, kept) == []
