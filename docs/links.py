"""Hook of MkDocs: links that lead out of `docs/` lead to the repository, where the same pages are read, too."""

import re
from pathlib import Path
from typing import Any

_OUTSIDE = re.compile(r"\]\((\.\./[^)\s]+)\)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """The page's text, its links to files beside `docs/` made links to GitHub."""
    docs = Path(config["docs_dir"])

    def absolute(link: re.Match[str]) -> str:
        path, hash_sign, anchor = link[1].partition("#")
        target = (docs / page.file.src_uri).parent.joinpath(path).resolve()
        if target.is_relative_to(docs) or not target.exists():
            return link[0]
        where = target.relative_to(docs.parent)
        kind = "tree" if target.is_dir() else "blob"
        return f"]({config['extra']['repository']}/{kind}/main/{where}{hash_sign}{anchor})"

    return _OUTSIDE.sub(absolute, markdown)
