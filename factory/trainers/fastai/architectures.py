"""Networks for images: a body of timm's or torchvision's, and fastai's head. Nothing is downloaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import timm
import torch  # noqa: TID253 - whoever imports this module wants torch
import torchvision
from fastai.vision.learner import (  # noqa: TID253
    TimmBody,
    add_head,
    create_body,
    default_split,
    model_meta,
    num_features_model,
)

from factory.base.errors import TerminalError
from factory.base.texts import hint
from factory.trainers.fastai.description import Head

_TORCHVISION = "torchvision.models."

Colours = tuple[float, float, float]

_IMAGENET: tuple[Colours, Colours] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Architecture:
    """A network without a head, as its library makes it."""

    name: str
    model: torch.nn.Module
    """The whole network, whose parts weights are named by."""
    cut: Callable[[torch.nn.Module], torch.nn.Module]
    """The body of it."""
    features: int | None
    """How many numbers the body gives; None: find out."""
    pools: bool
    """Whether the head takes the mean over the image, because the body does not."""
    mean: Colours
    std: Colours
    split: Callable[[torch.nn.Module], Any]
    """How fastai groups layers for learning rates of their own."""

    def with_head(self, head: Head, outputs: int) -> torch.nn.Module:
        """Body and head, in a sequence of the two."""
        body = self.cut(self.model)
        features = self.features or num_features_model(torch.nn.Sequential(*body.children()))
        network: torch.nn.Module = add_head(
            body,
            features,
            outputs,
            ps=head.ps,
            lin_ftrs=None if head.lin_ftrs is None else list(head.lin_ftrs),
            concat_pool=head.concat_pool,
            pool=self.pools,
        )
        return network


def architecture(name: str) -> Architecture:
    """A network with weights drawn at random.

    Args:
        name: As timm calls it, or `torchvision.models.` and what torchvision calls it.

    Raises:
        TerminalError: There is none of this name, or it cannot be made.
    """
    if name.startswith(_TORCHVISION):
        return _of_torchvision(name)
    return _of_timm(name)


def _of_timm(name: str) -> Architecture:
    # Names with a colon would be looked up on a hub, or in a folder.
    if not timm.is_model(name):
        raise TerminalError(
            f"timm has no architecture {name!r}{hint(name, timm.list_models())}; one of "
            f"torchvision is written {_TORCHVISION}<name>"
        )
    model = timm.create_model(name, pretrained=False, num_classes=0)
    config: Mapping[str, Any] = model.default_cfg
    body = TimmBody(model, pretrained=False)
    return Architecture(
        name=name,
        model=model,
        cut=lambda _: body,
        features=model.num_features,
        pools=body.needs_pool,
        mean=tuple(config.get("mean", _IMAGENET[0])),
        std=tuple(config.get("std", _IMAGENET[1])),
        split=default_split,
    )


def _of_torchvision(name: str) -> Architecture:
    known = name.removeprefix(_TORCHVISION)
    try:
        builder = torchvision.models.get_model_builder(known)
    except ValueError:
        raise TerminalError(
            f"torchvision has no architecture {known!r}"
            f"{hint(known, torchvision.models.list_models())}"
        ) from None
    meta: Mapping[str, Any] = model_meta.get(builder, {"cut": None, "split": default_split})
    return Architecture(
        name=name,
        model=builder(weights=None),
        cut=lambda model: create_body(model, pretrained=False, cut=meta["cut"]),
        features=None,
        pools=True,
        mean=_IMAGENET[0],
        std=_IMAGENET[1],
        split=meta["split"],
    )
