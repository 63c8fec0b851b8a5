"""Files of models: weights as safetensors, and the description in JSON. Reading them runs no code."""

import json
from pathlib import Path

import safetensors.torch
import torch  # noqa: TID253 - whoever imports this module wants torch
from safetensors import SafetensorError, safe_open

from factory.base.errors import TerminalError
from factory.base.files import whole_file
from factory.trainers.fastai.description import Description, read_description

WEIGHTS = "weights.safetensors"
DESCRIPTION = "description.json"
_IN_HEADER = "description"

Tensors = dict[str, torch.Tensor]


def write_file(description: Description, tensors: Tensors, file: Path) -> None:
    """Both in one file, the description in its header; it appears only when it is whole."""
    header = {_IN_HEADER: description.model_dump_json()}
    with whole_file(file) as unfinished:
        safetensors.torch.save_file(_storable(tensors), unfinished, metadata=header)


def read_file(file: Path) -> tuple[Description, Tensors]:
    """What `write_file` wrote.

    Raises:
        TerminalError: It is something else.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            text = (opened.metadata() or {}).get(_IN_HEADER, "")
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise TerminalError(f"{file.name} is no file of weights: {error}") from error
    return read_description(text), tensors


def write_folder(description: Description, tensors: Tensors, folder: Path) -> None:
    """Each in a file of its own, so that people can read the description."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(json.loads(description.model_dump_json()), indent=2)
    (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
    safetensors.torch.save_file(_storable(tensors), folder / WEIGHTS)


def read_folder(folder: Path) -> tuple[Description, Tensors]:
    """What `write_folder` wrote.

    Raises:
        TerminalError: It is something else.
    """
    try:
        description = read_description((folder / DESCRIPTION).read_bytes())
        return description, safetensors.torch.load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise TerminalError(f"{folder.name} holds no model of fastai: {error}") from error


def _storable(tensors: Tensors) -> Tensors:
    """Each tensor with memory of its own, in rows, on the CPU."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
