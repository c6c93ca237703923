"""Pictures as strangers' data: one decoding for critics and policies, and what is refused before it costs anything."""

from __future__ import annotations

import base64
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image, ImageDraw

from vpbench import DataError, ImageRef, Question
from vpbench.data.hub import _unzip
from vpbench.data.table import image_ref
from vpbench.endpoint.messages import data_url
from vpbench.images import MAX_BYTES, MAX_PIXELS
from vpbench.models.tiles import cut_tiles
from vpbench.plugins import find_critic, make_critic
from vpbench.settings import identity_settings

SHARED = os.environ.get("VPBENCH_SHARED")


def encoded(image: Image.Image, kind: str, **settings: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def picture(mode: str = "RGB") -> Image.Image:
    """A picture of 64 x 32 whose corners differ, so that every turn shows."""
    image = Image.new("RGB", (64, 32), (200, 30, 40))
    ImageDraw.Draw(image).rectangle((0, 0, 31, 15), fill=(20, 90, 250))
    return image.convert(mode)


def alpha(mode: str) -> Image.Image:
    """A picture whose left half is transparent."""
    image = picture(mode)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def oriented(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(), kind, exif=exif)


def ref(data: bytes) -> ImageRef:
    return ImageRef("the picture", load=lambda: data)


def png_header(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


# What the file is -> the file.
PLAIN = {
    "png rgb": encoded(picture(), "PNG"),
    "png grey": encoded(picture("L"), "PNG"),
    "png 1 bit": encoded(picture("1"), "PNG"),
    "png rgba": encoded(alpha("RGB"), "PNG"),
    "png grey and alpha": encoded(alpha("L"), "PNG"),
    "png palette": encoded(picture("P"), "PNG"),
    "png transparent palette entry": encoded(picture("P"), "PNG", transparency=0),
    "png transparent colour": encoded(picture(), "PNG", transparency=(200, 30, 40)),
    "png transparent grey": encoded(picture("L"), "PNG", transparency=picture("L").getpixel((0, 0))),
    "apng": encoded(picture(), "PNG", save_all=True, append_images=[Image.new("RGB", (64, 32))]),
    "jpeg": encoded(picture(), "JPEG"),
    "jpeg grey": encoded(picture("L"), "JPEG"),
    "jpeg cmyk": encoded(picture("CMYK"), "JPEG"),
    "mpo of a phone": encoded(picture(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 32))]),
    "webp": encoded(picture(), "WEBP"),
    "webp rgba": encoded(alpha("RGB"), "WEBP", lossless=True),
    "gif": encoded(picture(), "GIF"),
    "animated gif": encoded(picture(), "GIF", save_all=True, append_images=[Image.new("RGB", (64, 32))]),
    "bmp": encoded(picture(), "BMP"),
    "tiff": encoded(picture(), "TIFF"),
    "tiff of two pages": encoded(picture(), "TIFF", save_all=True, append_images=[Image.new("RGB", (64, 32))]),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_ordinary_pictures_keep_the_pixels_of_the_released_preprocessing(kind: str) -> None:
    expected = Image.open(BytesIO(PLAIN[kind])).convert("RGB")
    image = ref(PLAIN[kind]).open()
    assert image.mode in ("L", "RGB") and not image.info
    assert np.array_equal(image.convert("RGB"), expected)
    assert np.array_equal(ref(PLAIN[kind]).open(released=True).convert("RGB"), expected)
    assert ref(PLAIN[kind]).size() == expected.size


TAGGED = [(kind, orientation) for kind in ("JPEG", "PNG", "WEBP", "TIFF") for orientation in range(1, 9)]


def sent(image: ImageRef) -> Image.Image:
    """What a server decodes of a request, alpha over white as many do."""
    received = Image.open(BytesIO(base64.b64decode(data_url(image).partition(",")[2])))
    assert not getattr(received, "is_animated", False) or received.format == "MPO"
    rgba = received.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


@pytest.mark.parametrize(
    "data", [*PLAIN.values(), *(oriented(*tag) for tag in TAGGED)], ids=[*PLAIN, *map(str, TAGGED)]
)
def test_an_endpoint_is_sent_what_a_critic_sees(data: bytes) -> None:
    assert np.array_equal(sent(ref(data)), ref(data).open().convert("RGB"))


@pytest.mark.parametrize("kind", ["png rgb", "png grey", "png palette", "jpeg", "jpeg grey", "mpo of a phone"])
def test_files_that_show_nothing_else_are_sent_as_they_are(kind: str) -> None:
    assert base64.b64decode(data_url(ref(PLAIN[kind])).partition(",")[2]) == PLAIN[kind]


@pytest.mark.parametrize(("kind", "orientation"), TAGGED)
def test_pictures_are_upright_as_datasets_decodes_them(kind: str, orientation: int) -> None:
    data = oriented(kind, orientation)
    expected = datasets.Image().decode_example({"bytes": data, "path": None})
    image = ref(data).open()
    assert np.array_equal(image, expected)
    assert ref(data).size() == image.size == ((32, 64) if orientation >= 5 else (64, 32))
    released = ref(data).open(released=True)
    assert np.array_equal(released, Image.open(BytesIO(data)).convert("RGB"))


@pytest.mark.skipif(SHARED is None, reason="needs the reported photograph")
def test_the_reported_photograph_is_upright() -> None:
    photograph = ImageRef("x", path=Path(SHARED or "") / "reports/image-exif/exif6.jpg")
    image = photograph.open()
    red, _, blue = image.getpixel((16, 8))
    assert image.size == photograph.size() == (32, 64)
    assert red > blue
    assert len(cut_tiles(image, 12, 448)) == len(cut_tiles(Image.new("RGB", (32, 64)), 12, 448))


def test_broken_tags_tell_no_orientation() -> None:
    for exif in (b"Exif\0\0junk", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12", b"Exif\0\0II*\0\xff\xff\xff\xff"):
        data = encoded(picture(), "JPEG", exif=exif)
        assert ref(data).open().size == (64, 32)
        assert base64.b64decode(data_url(ref(data)).partition(",")[2]) == data


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled(kind: str) -> None:
    levels = np.array([[0, 255, 256, 40_000, 65_535]], dtype=np.uint16)
    data = encoded(Image.fromarray(levels), kind)
    assert np.asarray(ref(data).open()).tolist() == [[0, 0, 1, 156, 255]]
    assert np.asarray(ref(data).open(released=True))[..., 0].tolist() == [[0, 255, 255, 255, 255]]
    assert np.array_equal(sent(ref(data)), ref(data).open().convert("RGB"))


def test_12_bit_grey_is_scaled() -> None:
    tags = {256: 2, 257: 1, 258: 12, 259: 1, 262: 1, 273: 122, 277: 1, 278: 1, 279: 3}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + b"\xff\xf8\x00"  # 4095, 2048
    assert np.asarray(ref(data).open()).tolist() == [[255, 128]]


REFUSED = {
    # What it is: (the file, what the message says). The bombs are those of the zlib kind that ended runs by memory
    # before; EPS is that of CVE-2023-36664 and its like; the truncated files are what interrupted downloads leave.
    "EPS, which Pillow hands to Ghostscript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        "formats are",
    ),
    "a format that isn't listed": (encoded(picture(), "PPM"), "formats are"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "formats are"),
    "nothing": (b"", "formats are"),
    "a truncated PNG": (PLAIN["png rgb"][:-40], "not a readable image"),
    "a truncated JPEG": (PLAIN["jpeg"][:300], "not a readable image"),
    "a truncated GIF": (PLAIN["gif"][:60], "not a readable image"),
    "a truncated WEBP": (PLAIN["webp"][:40], "not a readable image"),
    "a truncated TIFF": (PLAIN["tiff"][:200], "not a readable image"),
    "a PNG with a wrong checksum": (PLAIN["png rgb"].replace(b"IDAT", b"IDAS"), "not a readable image"),
    "13,000 x 13,000 in 21 KB": (png_header(13_000, 13_000), "13000 x 13000 pixels"),
    "178,000,000 x 1, a MemoryError once": (png_header(178_000_000, 1), "178000000 x 1 pixels"),
    "more than Pillow's own limit": (png_header(2**30, 2**10), "not a readable image"),
    "one pixel too many": (png_header(MAX_PIXELS + 1, 1), f"{MAX_PIXELS + 1} x 1 pixels"),
    "32-bit grey": (encoded(Image.new("F", (2, 2), 0.5), "TIFF"), "32-bit grey"),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("use", [ImageRef.open, data_url], ids=["critic", "endpoint"])
def test_hostile_pictures_are_refused_by_name(kind: str, use: Callable[[ImageRef], object]) -> None:
    data, message = REFUSED[kind]
    with pytest.raises(DataError, match="the picture") as caught:
        use(ref(data))
    assert message in str(caught.value)


def test_no_picture_starts_a_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("gs", "gswin64c"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for start in (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\xc5\xd0\xd3\xc6" + bytes(60)):
        for use in (ImageRef.open, ImageRef.size, data_url):
            with pytest.raises(DataError):
                use(ref(start))
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("deep"), struct.error("short"), EOFError()])
def test_whatever_pillow_raises_is_a_data_error(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(DataError, match="broken image: the picture: not a readable image"):
        ref(PLAIN["jpeg"]).open()


def special(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / kind
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(MAX_BYTES + 1)
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("fifo", "isn't a regular file"),
        ("folder", "isn't a regular file"),
        ("device", "isn't a regular file"),
        ("sparse", "image too large"),
    ],
)
def test_special_files_are_refused_at_once(tmp_path: Path, kind: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ImageRef("x", path=special(tmp_path, kind)).open()


@pytest.mark.parametrize("path", ["a\0b.png", "n" * 300 + ".png", "\udce9.png"])
def test_paths_that_can_t_be_are_data_errors(tmp_path: Path, path: str) -> None:
    with pytest.raises(DataError, match="image"):
        image_ref(path, "row 1", tmp_path).open()


def archive(folder: Path, content: bytes = PLAIN["png rgb"], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "images.zip"
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("a.png", content)
        file.writestr("folder/", b"")
    return path


def unzipped(folder: Path, member: str = "a.png") -> bytes:
    return _unzip(str(folder), None, member, "row 1")


def encrypted(path: Path) -> None:
    data = path.read_bytes()
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data = data[:at] + b"\x01" + data[at + 1 :]
    path.write_bytes(data)


def test_an_archive_s_picture(tmp_path: Path) -> None:
    archive(tmp_path)
    assert unzipped(tmp_path) == PLAIN["png rgb"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: None, "no picture file"),
        (encrypted, "encrypted"),
        (lambda path: archive(path.parent, method=zipfile.ZIP_LZMA), "neither stored nor deflated"),
        (lambda path: path.write_bytes(path.read_bytes().replace(PLAIN["png rgb"][:9], b"X")), "can't be read"),
        (lambda path: path.write_bytes(b"PK"), "not a zip file"),
        (lambda path: (path.unlink(), path.mkdir()), "isn't a regular file"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "isn't a regular file"),
        (lambda path: path.unlink(), "No such file"),
    ],
    ids=["folder", "encrypted", "lzma", "damaged", "no archive", "a folder", "a pipe", "missing"],
)
def test_odd_archives(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(archive(tmp_path, method=zipfile.ZIP_STORED))
    with pytest.raises(DataError, match=f"missing image: row 1.*{message}"):
        unzipped(tmp_path, "folder/" if message == "no picture file" else "a.png")


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [("UNSUSPECTED_BYTES", 2**20, "more than 200 times as many"), ("MAX_BYTES", 2**20, "no picture file of at most")],
)
def test_archives_that_unpack_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, message: str
) -> None:
    archive(tmp_path, bytes(2**21))
    assert len(unzipped(tmp_path)) == 2**21
    monkeypatch.setattr(f"vpbench.data.hub.{limit}", value)
    with pytest.raises(DataError, match=message):
        unzipped(tmp_path)


def test_a_critic_sees_the_released_picture_if_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Scorer:
        def tiles(self, images: list[Image.Image], _: int) -> tuple[None, list[int]]:
            seen.extend(image.size for image in images)
            return None, []

    question = Question("t", "q", "Q?", (ref(oriented("JPEG", 6)),))
    cls = find_critic("visualprm").cls
    for settings in ({}, {"released_images": "true"}):
        critic = make_critic(cls, {"model": ".", **settings})
        critic.__dict__["_scorer"] = Scorer()
        critic.prefetch(question)
    assert seen == [(32, 64), (64, 32)]


def test_only_a_changed_setting_enters_the_key_of_scores() -> None:
    cls = find_critic("visualprm").cls
    given = [{}, {"released_images": "false"}, {"released_images": "true"}]
    keys = [identity_settings(make_critic(cls, settings)) for settings in given]
    assert keys[0] == keys[1] != keys[2]
    assert "released_images" not in keys[0] and keys[2]["released_images"] is True
