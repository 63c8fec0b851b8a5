"""Smoke tests that fit what a model takes."""

import pytest

from factory.deploy.targets.process import ProcessTarget


def deploy(**smoke_test: object) -> ProcessTarget:
    return ProcessTarget.model_validate({"type": "process", "smoke_test": smoke_test})


@pytest.mark.parametrize(
    ("section", "takes_images", "words", "at"),
    [
        ({"file": "cat.jpg"}, False, "takes rows and no images", "file"),
        ({"file": "rows.json"}, True, "takes an image", "file"),
        ({"rows": [{"x": 1}]}, True, "takes an image", "rows"),
    ],
)
def test_a_smoke_test_that_the_model_cannot_take_is_refused(section, takes_images, words, at):
    [broken] = deploy(**section).check_model(has_classes=True, takes_images=takes_images)
    assert words in broken.message()
    assert broken.context is not None
    assert broken.context["at"] == ("deploy", "smoke_test", at)


@pytest.mark.parametrize(
    ("section", "takes_images"),
    [
        ({"file": "cat.WEBP", "expect": "cat"}, True),
        ({"file": "rows.json", "expect": True}, False),
        ({"rows": [{"x": 1}]}, False),
        ({}, True),
    ],
)
def test_what_the_model_takes_may_be_asked(section, takes_images):
    assert not list(deploy(**section).check_model(has_classes=True, takes_images=takes_images))
