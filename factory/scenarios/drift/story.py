"""What happens in the story, chapter by chapter."""

from pathlib import Path

from factory.scenarios.story import Chapter, Story

TRAIN = "homes.value.train"
PREDICT = "homes.value.predict"
MONITOR = "homes.value.monitor"
APPRAISALS = "homes.appraisals"
BLOCKS = "homes.blocks"
DRIFT = "homes.value.drift"


def story(_downloads: Path) -> Story:
    """The story; its rows are installed, nothing is downloaded."""
    from factory.scenarios.drift import rows

    everything = frozenset({APPRAISALS, BLOCKS, TRAIN, PREDICT, MONITOR})
    return Story(
        (
            Chapter(
                "Blocks around Los Angeles are appraised: a first model is trained.",
                rows.appraise_the_south,
                "rows",
                APPRAISALS,
                # There is nothing to predict yet.
                frozenset({APPRAISALS, TRAIN}),
            ),
            Chapter(
                "Further blocks of the same places are to be valued: predictions, and nothing to "
                "report.",
                rows.ask_for_the_south,
                "rows",
                BLOCKS,
                everything,
            ),
            Chapter(
                "Appraisals of the north come in: too few rows alone to train again for.",
                rows.appraise_the_north,
                "rows",
                APPRAISALS,
                everything,
            ),
            Chapter(
                "Blocks of the north are to be valued: the model meets what it has not learned.",
                rows.ask_for_the_north,
                "rows",
                BLOCKS,
                everything,
            ),
        )
    )
