from datetime import UTC, datetime

import duckdb
import pytest
from pydantic import ValidationError

from factory.data.checks.check import CheckedRows, UnusableCheckError
from factory.data.dataset import Dataset

SPEECH = (
    "Fellow citizens, the state of the union is a matter of great concern to every one of us, and the "
    "harbours of our coast have been deepened in the course of the year that is now behind us."
)
GERMAN = "Die Schiffe liegen seit heute Morgen im Hafen und warten auf den Lotsen, der sie bringt."


def check(**keys):
    section = {"source": {"type": "csv", "path": "a.csv"}, "checks": [{"column": "t", **keys}]}
    [made] = Dataset.model_validate(section).checks
    return made


def found(texts, **keys):
    connection = duckdb.connect()
    connection.execute("create table result (t varchar)")
    connection.executemany("insert into result values (?)", [[text] for text in texts])
    return check(**keys).find(CheckedRows(connection, len(texts), datetime.now(UTC)))


def test_short_text_does_not_pass():
    made = check(check="min_length", characters=3)
    rows = duckdb.sql("select unnest(['abc', ' ab ', '', null]) as t")
    assert rows.filter(made.failing()).fetchall() == [(" ab ",), ("",)]
    assert made.implies(check(check="min_length", characters=2))
    assert not made.implies(check(check="min_length", characters=4))


def test_personal_data_are_counted_and_never_shown():
    texts = [
        "Write to ann.lee@example.org or bob@example.com, or call +49 30 901820.",
        "IBAN DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111.",
        "IBAN DE89 3704 0044 0532 0130 01, card 4111 1111 1111 1112, 1234567890123456, 2+2=4, a@b.",
        None,
    ]
    finding = found(texts, check="pii")
    assert finding.failing_rows == 2
    assert finding.sample == ()
    assert finding.message == (
        "2 e-mail addresses in 1 texts, 1 phone numbers in 1 texts, 1 bank accounts (IBAN) in 1 texts, "
        "1 credit cards in 1 texts; the values are not shown"
    )
    assert check(check="pii").on_fail == "warn"
    assert not found(texts[2:], check="pii").message
    assert not found(texts[:1], check="pii", kinds=["iban"]).message


@pytest.mark.parametrize("name", ["language", "near_duplicates"])
def test_missing_extra_is_told(monkeypatch, name):
    monkeypatch.setattr("factory.data.documents.formats.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=rf"`check: {name}` needs the extra `text`"):
        check(check=name, **({"languages": ["en"]} if name == "language" else {}))


@pytest.mark.extras
def test_texts_in_other_languages_are_counted():
    texts = [SPEECH, GERMAN, "Ja", None, "12345 " * 20]
    finding = found(texts, check="language", languages=["en"])
    assert finding.failing_rows == 1
    assert finding.message == "1 texts are in other languages: de (1)"
    assert finding.sample == ({"language": "de", "t": GERMAN},)
    assert not found(texts, check="language", languages=["en", "de"]).message
    with pytest.raises(UnusableCheckError, match="the language 'xx' is not known"):
        found(texts, check="language", languages=["xx"])


@pytest.mark.extras
def test_texts_that_are_nearly_others_are_counted():
    nearly = SPEECH.replace("deepened", "dredged")
    other = SPEECH[:60] + GERMAN
    finding = found(
        [SPEECH, other, nearly, None, "", SPEECH.upper()], check="near_duplicates", likeness=0.8
    )
    assert finding.message == "2 texts are nearly another one"
    assert finding.sample[0]["nearly"].startswith("Fellow citizens")
    assert not found([SPEECH, GERMAN, "One", "Two"], check="near_duplicates").message
