import hashlib
import io
import logging

import pytest
from PIL import Image

from factory.base.errors import TerminalError
from factory.data.images.store import TamperedImageError
from factory.data.transforms.images import ImagesTransform
from factory.data.transforms.run import transform
from factory.data.transforms.sql import SqlTransform
from tests.data.images.images import COLUMNS, PETS, encoded, image, pets, write
from tests.data.rows import lake_in, read


def step(**keys) -> ImagesTransform:
    return ImagesTransform.model_validate({"type": "images", **keys})


def changed(folder, content, *steps, lake=None):
    """The rows after the steps, by path, and the images in them."""
    write(folder / "pets", content)
    rows = pets(folder)
    after = transform(
        steps,
        rows,
        workspace=folder / "workspace",
        lake=lake or lake_in(folder),
        versions={},
        team="pets",
    )
    found = {row[0]: dict(zip(after.columns, row, strict=True)) for row in read(after)}
    images = {
        path: Image.open(folder / "workspace" / "files" / row["image"])
        for path, row in found.items()
        if "image" in row
    }
    return found, images


def test_new_images_have_new_rows_and_addresses(tmp_path):
    sides = {"width": 16, "height": 16, "mode": "exact"}
    found, images = changed(tmp_path, PETS, step(resize=sides, convert="jpeg", mode="RGB"))
    assert tuple(next(iter(found.values()))) == COLUMNS
    assert list(found) == ["cats/1.png", "cats/2.jpg", "dogs/1.webp", "dogs/2.PNG"]
    for path, row in found.items():
        content = (tmp_path / "workspace" / "files" / row["image"]).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert row["image"] == f"pets/_files/{digest[:2]}/{digest}.jpg"
        assert row["bytes"] == len(content)
        assert (row["format"], row["width"], row["height"]) == ("jpeg", 16, 16)
        assert (images[path].format, images[path].mode) == ("JPEG", "RGB")
    assert {path: row["label"] for path, row in found.items()}["dogs/1.webp"] == "dogs"


@pytest.mark.parametrize(
    ("mode", "size"), [("fit", (32, 24)), ("fill", (32, 32)), ("exact", (32, 32))]
)
def test_image_is_brought_to_its_size(tmp_path, mode, size):
    resize = {"width": 32, "height": 32, "mode": mode}
    content = {
        f"{number}.{kind}": image("red", original, kind.upper())
        for number, original in enumerate([(400, 300), (40, 30), (20, 15)])
        for kind in ("png", "jpeg")
    }
    _, images = changed(tmp_path, content, step(resize=resize))
    assert {name: image.size for name, image in images.items()} == dict.fromkeys(content, size)


def test_very_long_image_keeps_a_side_of_one_pixel(tmp_path):
    resize = {"width": 32, "height": 32}
    _, images = changed(tmp_path, {"1.png": image("red", (900, 1))}, step(resize=resize))
    assert images["1.png"].size == (32, 1)


def test_fill_keeps_the_middle(tmp_path):
    image = Image.new("RGB", (300, 100), "white")
    image.paste("red", (100, 0, 200, 100))
    resize = {"width": 10, "height": 10, "mode": "fill"}
    _, images = changed(tmp_path, {"1.png": encoded(image)}, step(resize=resize))
    assert images["1.png"].getpixel((5, 5)) == (255, 0, 0)
    assert images["1.png"].getpixel((1, 5)) == (255, 0, 0)


def test_reduced_decoding_of_a_photo_shows_the_same(tmp_path):
    image = Image.linear_gradient("L").resize((1600, 1200)).convert("RGB")
    resize = {"width": 64, "height": 48}
    content = {"1.jpg": encoded(image, "JPEG", quality=95), "2.png": encoded(image)}
    _, images = changed(tmp_path, content, step(resize=resize, convert="png"))
    pairs = zip(images["1.jpg"].tobytes(), images["2.png"].tobytes(), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 3


def test_image_is_turned_upright_and_loses_its_metadata(tmp_path):
    image = Image.new("RGB", (40, 30), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "where I live"
    content = {"1.jpg": encoded(image, "JPEG", exif=exif, comment=b"secret")}
    for convert in ("jpeg", "png", "webp"):
        found, images = changed(tmp_path / convert, content, step(convert=convert))
        assert (
            images["1.jpg"].size == (30, 40) == (found["1.jpg"]["width"], found["1.jpg"]["height"])
        )
        made = (tmp_path / convert / "workspace" / "files" / found["1.jpg"]["image"]).read_bytes()
        assert b"where I live" not in made
        assert b"secret" not in made


def test_transparent_parts_become_white_where_nothing_is_transparent(tmp_path):
    clear = encoded(Image.new("RGBA", (8, 8), (255, 0, 0, 0)))
    _, images = changed(tmp_path / "a", {"1.png": clear}, step(convert="jpeg"))
    assert images["1.png"].getpixel((4, 4)) == (255, 255, 255)
    _, images = changed(tmp_path / "b", {"1.png": clear}, step(convert="webp"))
    assert images["1.png"].mode == "RGBA"
    _, images = changed(tmp_path / "c", {"1.png": clear}, step(mode="RGB"))
    assert images["1.png"].getpixel((4, 4)) == (255, 255, 255)


HELD = {
    "GIF": ["1", "L", "P", "RGB", "I;16", "RGBA", "LA"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "P", "RGB", "CMYK", "I;16", "RGBA", "LA"],
    "PNG": ["1", "L", "P", "RGB", "I;16", "RGBA", "LA"],
    "JPEG": ["1", "L", "RGB", "CMYK"],
    "WEBP": ["1", "L", "P", "RGB", "CMYK", "I;16", "RGBA", "LA"],
}


def test_every_readable_image_can_be_changed(tmp_path):
    red = Image.new("RGB", (20, 20), "red")
    content = {
        f"{kind} of {mode}.bmp": encoded(red.convert(mode.partition(";")[0]).convert(mode), kind)
        for kind, modes in HELD.items()
        for mode in modes
    }
    found, images = changed(tmp_path, content, step(convert="jpeg", mode="RGB"))
    made = {name: (row["format"], images[name].mode) for name, row in found.items()}
    assert made == dict.fromkeys(content, ("jpeg", "RGB"))


def test_sixteen_bits_become_eight(tmp_path):
    grey = Image.new("I;16", (4, 4), 0x8000)
    _, images = changed(tmp_path, {"1.png": encoded(grey)}, step(mode="L", convert="png"))
    assert images["1.png"].getpixel((0, 0)) == 0x80


def test_format_that_cannot_be_written_becomes_png(tmp_path):
    resize = {"width": 8, "height": 8}
    found, _ = changed(tmp_path, {"1.gif": image(kind="GIF")}, step(resize=resize))
    assert found["1.gif"]["format"] == "png"
    assert found["1.gif"]["image"].endswith(".png")


def test_jpeg_that_is_to_have_transparency_becomes_png(tmp_path):
    found, images = changed(tmp_path, {"1.jpg": image(kind="JPEG")}, step(mode="RGBA"))
    assert (found["1.jpg"]["format"], images["1.jpg"].mode) == ("png", "RGBA")


def test_lower_quality_makes_fewer_bytes(tmp_path):
    noisy = encoded(Image.effect_noise((200, 200), 50).convert("RGB"))
    sizes = [
        changed(tmp_path / str(q), {"1.png": noisy}, step(convert="jpeg", quality=q))[0]["1.png"][
            "bytes"
        ]
        for q in (20, 90)
    ]
    assert sizes[0] < sizes[1]


def test_image_that_cannot_be_read_stays_as_it_is_and_is_named(tmp_path, caplog):
    content = {"bad.jpg": b"no image", "good.jpg": image()}
    write(tmp_path / "pets", content)
    before = pets(tmp_path)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        after = transform(
            [step(convert="webp")],
            before,
            workspace=tmp_path / "workspace",
            lake=lake_in(tmp_path),
            versions={},
            team="pets",
        )
    assert read(after)[0] == read(before)[0]
    assert read(after)[1][3] == "webp"
    assert "1 of 2 images cannot be read and stay as they are: bad.jpg" in caplog.text


def test_the_same_images_are_made_again(tmp_path):
    one = step(resize={"width": 20, "height": 20, "mode": "fill"}, convert="webp")
    first, _ = changed(tmp_path / "1", PETS, one)
    second, _ = changed(tmp_path / "2", PETS, one)
    assert first == second


def test_columns_that_a_query_left_out_stay_out_and_others_stay_in(tmp_path):
    query = "select path, image, 7 as seven from source"
    found, _ = changed(tmp_path, PETS, SqlTransform(type="sql", query=query), step(convert="png"))
    assert list(found["cats/2.jpg"]) == ["path", "image", "seven"]
    assert found["cats/2.jpg"]["image"].endswith(".png")
    assert found["cats/2.jpg"]["seven"] == 7


def test_queries_and_images_go_in_turn(tmp_path):
    found, _ = changed(
        tmp_path,
        PETS,
        SqlTransform(type="sql", query="select * from source where label = 'cats'"),
        step(resize={"width": 10, "height": 10, "mode": "exact"}),
        SqlTransform(type="sql", query="select *, width * height as area from source"),
    )
    assert {row["area"] for row in found.values()} == {100}


def test_column_image_that_is_missing_or_holds_other_things_is_an_error(tmp_path):
    write(tmp_path / "pets", PETS)
    rows = pets(tmp_path)
    for query, said in (
        ("select path from source", "no column 'image'"),
        ("select '../../etc/passwd' as image", "no image's address"),
        (f"select 'pets/_files/ab/{'ab' * 32}.png' as image", "not in the lake"),
    ):
        with pytest.raises(TerminalError, match=said):
            transform(
                [SqlTransform(type="sql", query=query), step(convert="png")],
                rows,
                workspace=tmp_path / "workspace",
                lake=lake_in(tmp_path),
                versions={},
                team="pets",
            )


def test_images_of_another_dataset_come_from_the_lake_and_are_verified(tmp_path):
    lake = lake_in(tmp_path)
    content = image()
    digest = hashlib.sha256(content).hexdigest()
    address = f"other/_files/{digest[:2]}/{digest}.png"
    write(tmp_path, {"pets/x.png": image("blue"), "there": content})
    lake.files.upload(tmp_path / "there", address)
    rows = pets(tmp_path)

    def run():
        return transform(
            [SqlTransform(type="sql", query=f"select '{address}' as image"), step(convert="jpeg")],
            rows,
            workspace=tmp_path / "workspace",
            lake=lake,
            versions={},
            team="pets",
        )

    [[made]] = read(run())
    assert made.startswith("pets/_files/")
    assert (
        Image.open(io.BytesIO((tmp_path / "workspace/files" / made).read_bytes())).format == "JPEG"
    )
    write(tmp_path, {"there": image("green")})
    lake.files.upload(tmp_path / "there", address)
    with pytest.raises(TamperedImageError, match="other bytes"):
        run()
