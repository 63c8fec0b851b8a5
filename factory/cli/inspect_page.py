"""What `factory inspect --html` writes: one page that needs nothing beside it."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from factory.base.texts import shown
from factory.cli.inspect_text import headline, written
from factory.cli.inspect_words import edge, picture, share, span
from factory.data.profile.facts import BINS, ColumnFacts
from factory.data.profile.inspection import Inspection

_COLUMNS = 300
_HEIGHT = 32
_WIDTH = 6
"""Of a bar, in pixels."""


def page(found: Inspection) -> str:
    """The page as HTML: no script, and nothing that is loaded from elsewhere."""
    environment = Environment(
        loader=PackageLoader("factory.cli", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("inspect_page.html.jinja")
    return template.render(
        found=found,
        headline=headline(found),
        columns=found.columns[:_COLUMNS],
        left_out=max(0, len(found.columns) - _COLUMNS),
        height=_HEIGHT,
        bar=_WIDTH,
        bars=_bars,
        edges=_edges,
        share=share,
        shown=shown,
        span=span,
        written=written,
    )


def _bars(facts: ColumnFacts) -> list[tuple[float, str]]:
    """The height of each bar, in pixels, and what it says when it is pointed at."""
    counts = picture(facts, BINS)
    most = max(counts, default=0)
    if facts.histogram is None:
        names = [shown(value, 40) for value, _ in facts.top]
    else:
        start, width = facts.histogram.start, facts.histogram.width
        names = [f"from {edge(facts, start + at * width)}" for at in range(len(counts))]
    return [
        (max(1.0, round(_HEIGHT * count / most, 1)) if count else 0.0, f"{name}: {count:,}")
        for count, name in zip(counts, names, strict=False)
    ]


def _edges(facts: ColumnFacts) -> tuple[str, str]:
    """What stands below the first and the last bar."""
    if facts.histogram is None:
        return "", ""
    return edge(facts, facts.histogram.start), edge(facts, facts.histogram.end)
