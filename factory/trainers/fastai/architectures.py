"""Networks for images: a body of timm's or torchvision's, fastai's head, and the weights that it starts from.

Nothing is downloaded. Weights come out of a file, by name: all of the body's or none.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
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
from factory.trainers.fastai.estimator_check import find_architecture
from factory.trainers.fastai.params import TORCHVISION, weights_file
from factory.trainers.fastai.stored import Head

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
    for finding in find_architecture(name):
        raise TerminalError(f"{finding.message}: {finding.suggestion}")
    if name.startswith(TORCHVISION):
        return _of_torchvision(name)
    return _of_timm(name)


def _of_timm(name: str) -> Architecture:
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
    builder = torchvision.models.get_model_builder(name.removeprefix(TORCHVISION))
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


Weights = Mapping[str, torch.Tensor]

# What a network is wrapped in when it is trained or saved, and how its last layer may be called.
_WRAPPERS = ("state_dict", "model", "model_state_dict")
_PREFIX = "module."
_HEADS = ("fc.", "classifier.", "head.", "heads.", "AuxLogits.", "aux1.", "aux2.")
_SHOWN = 3


def load_weights(model: torch.nn.Module, weights: str, arch: str, files: Path) -> None:
    """Put weights into a network; its last layer, which a head replaces, need not be among them.

    Args:
        model: The network as its library makes it.
        weights: `package:file`, or a path.
        arch: What the network is called, for errors.
        files: What paths are below.

    Raises:
        TerminalError: There is no such file, it holds something else than weights, or weights of
            another architecture.
    """
    found = _named_alike(_read(weights, files), model)
    wanted = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if not name.startswith(_HEADS) and not name.endswith("num_batches_tracked")
    }
    wrong = [
        name
        for name, tensor in wanted.items()
        if name not in found or found[name].shape != tensor.shape
    ]
    if wrong:
        raise TerminalError(
            f"weights: {weights} is not of the architecture {arch}: of its {len(wanted)} tensors, "
            f"{len(wrong)} are missing or of another shape, such as {', '.join(wrong[:_SHOWN])}. "
            "Name the architecture that the weights were trained with"
        )
    fitting = {name: found[name] for name in model.state_dict() if name in found}
    own = model.state_dict()
    model.load_state_dict(
        {name: tensor for name, tensor in fitting.items() if own[name].shape == tensor.shape},
        strict=False,
    )


def _read(weights: str, files: Path) -> Weights:
    try:
        file = weights_file(weights, files)
    except FileNotFoundError as error:
        raise TerminalError(f"weights: {error}") from None
    try:
        if file.suffix == ".safetensors":
            loaded = safetensors.torch.load_file(file)
        else:
            # Nothing but tensors and plain containers is read; code in the file is not run.
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    # Whatever the two readers raise: pickle's errors, zip's, their own.
    except Exception as error:
        raise TerminalError(
            f"weights: {weights} cannot be read as weights alone: {error}"
        ) from error
    return _tensors(loaded, weights)


def _tensors(loaded: object, weights: str) -> Weights:
    while isinstance(loaded, Mapping) and (inner := _inner(loaded)) is not None:
        loaded = inner
    if not isinstance(loaded, Mapping) or not loaded:
        raise TerminalError(
            f"weights: {weights} holds a {type(loaded).__name__}, not tensors by name: save the "
            "network's `state_dict()`"
        )
    return {
        str(name).removeprefix(_PREFIX): tensor
        for name, tensor in loaded.items()
        if isinstance(tensor, torch.Tensor)
    }


def _inner(loaded: Mapping[object, object]) -> object | None:
    for name in _WRAPPERS:
        if isinstance(loaded.get(name), Mapping):
            return loaded[name]
    return None


def _named_alike(found: Weights, model: torch.nn.Module) -> Weights:
    """The weights by the names that the network has for them."""
    if "_conv_stem.weight" in found:
        return _of_efficientnet_pytorch(found, model)
    return found


# EfficientNet-PyTorch (and EfficientNet-Lite after it) numbers blocks through, and names layers by
# what they do; timm numbers blocks within stages, and names layers by their place.
_OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_EXCITING = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")


def _of_efficientnet_pytorch(found: Weights, model: torch.nn.Module) -> Weights:
    own = list(model.state_dict())
    blocks = list(
        dict.fromkeys(".".join(name.split(".")[:3]) for name in own if name.startswith("blocks."))
    )
    renamed = {}
    for name, tensor in found.items():
        match = _BLOCK.fullmatch(name)
        if match is None:
            layer, _, rest = name.partition(".")
            renamed[f"{_OUTER.get(layer, layer)}.{rest}"] = tensor
            continue
        number, layer, rest = int(match[1]), match[2], match[3]
        if number >= len(blocks):
            return found
        expands = f"_blocks.{number}._expand_conv.weight" in found
        names = {**(_EXPANDING if expands else _PLAIN), **_EXCITING}
        renamed[f"{blocks[number]}.{names.get(layer, layer)}.{rest}"] = tensor
    return renamed
