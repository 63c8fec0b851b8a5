"""What packages publish, read from their sources."""

import sys

from factory.base.public_names import meant_path, public_paths


def test_a_bare_name_has_its_whole_path():
    assert meant_path("RandomForestClassifier", ("sklearn",)) == (
        "sklearn.ensemble.RandomForestClassifier"
    )


def test_a_slip_in_the_name_or_in_the_module_is_seen():
    for written in (
        "LogisticRegresion",
        "sklearn.linear.LogisticRegression",
        "lm.LogisticRegression",
    ):
        assert meant_path(written, ("sklearn",)) == "sklearn.linear_model.LogisticRegression"


def test_the_name_of_another_library_is_not_taken_for_one_of_this():
    assert meant_path("XGBClassifier", ("sklearn",)) is None
    assert meant_path("Nothing", ("sklearn", "not_installed")) is None


def test_no_code_is_run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "shop_models"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('run')\n")
    (package / "trees.py").write_text("class Oak:\n    pass\n\ndef _hidden(): pass\n")
    assert public_paths("shop_models") == {"Oak": ("shop_models.trees.Oak",)}
    assert "shop_models" not in sys.modules
