"""What somebody sees who opens the service's address in a browser."""

from collections.abc import Iterable
from html import escape

from factory.serving.schemas import Summary

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>factory serve</title>
<style>
  body {{ font: 15px/1.45 system-ui, sans-serif; color: #1d2733; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }}
  table {{ border-collapse: collapse; }}
  th, td {{ text-align: left; padding: .3rem 1.5rem .3rem 0; border-bottom: 1px solid #eceff3; }}
</style>
</head>
<body>
<h1>Models in production</h1>
{models}
<p><a href="docs">Try them</a> · <a href="models">as JSON</a> · <a href="openapi.json">OpenAPI</a> ·
<a href="healthz">health</a> · <a href="metrics">metrics</a></p>
</body>
</html>
"""


def front_page(models: Iterable[Summary]) -> str:
    """The page: each model with the version that answers, and where the rest is."""
    rows = [
        f'<tr><td><a href="models/{escape(one.model.replace(".", "/"))}">{escape(one.model)}</a></td>'
        f"<td>{escape(_answering(one))}</td></tr>"
        for one in models
    ]
    table = f"<table><tr><th>model</th><th>version</th></tr>{''.join(rows)}</table>"
    return _PAGE.format(models=table if rows else "<p>None has a champion yet.</p>")


def _answering(model: Summary) -> str:
    answers = "none answers yet" if model.version is None else str(model.version)
    if model.entities is not None:
        fallback = "" if model.version is None else f", and version {model.version} for others"
        answers = f"one for each of {model.entities} entities{fallback}"
    if model.refused is None:
        return answers
    return f"{answers}; version {model.refused.version} is refused: {model.refused.reason}"
