"""Which files are images, and the one rule from a file to pixels, held against Pillow's own conversions."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from ddbench.data.imagefile import SUFFIXES, is_hidden, is_image, normalised, opened
from ddbench.errors import BenchError

NOT_PICTURES = {".bufr", ".emf", ".eps", ".grib", ".h5", ".hdf", ".mpeg", ".mpg", ".ps", ".wmf", ".pdf", ".iim"}
FILMS_AND_FLOATS = {".fli", ".flc", ".fit", ".fits", ".pfm", ".palm"}
VALUES = np.array([[0, 255, 256, 32_767, 40_000, 65_535]], dtype=np.uint16)


def encoded(image, form="PNG", **options):
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def png_of_16_bits(pixels):
    """A PNG of 16 bits a channel, which Pillow reads and does not write: grey (H, W) or RGB (H, W, 3)."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    size = pixels.shape[1], pixels.shape[0], 16, 0 if pixels.ndim == 2 else 2, 0, 0, 0
    chunks = (b"IHDR", struct.pack(">IIBBBBB", *size)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    framed = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def rgb(content):
    return np.asarray(opened("x", content, "RGB"))


def photograph():
    random = np.random.default_rng(0)
    return Image.fromarray(random.integers(0, 256, (6, 5, 3), dtype=np.uint8))


def test_all_that_pillow_decodes_is_read_and_what_is_left_out_is_named_here():
    Image.init()
    decoded = {suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN}
    assert decoded - set(SUFFIXES) <= NOT_PICTURES | FILMS_AND_FLOATS
    assert set(SUFFIXES) - set(Image.registered_extensions()) == set()
    assert not set(SUFFIXES) & (NOT_PICTURES | FILMS_AND_FLOATS)


@pytest.mark.parametrize("name", ["x.JPEG", "x.tif", "x.ppm", "a b.GIF", "x.jfif", "x.tar.png"])
def test_suffixes_count_in_any_case(name):
    assert is_image(name)
    assert not is_image(name + ".txt")


def test_what_systems_leave_behind_is_passed_over():
    assert all(map(is_hidden, ("__MACOSX", ".DS_Store", "._x.png", ".git", "Thumbs.db", "@eaDir")))
    assert not any(map(is_hidden, ("n01440764", "_x.png", "MACOSX")))


def test_class_names_compare_in_one_unicode_form():
    assert "Mu\u0308ll" != normalised("Mu\u0308ll") == normalised("M\u00fcll")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_pixels_are_those_of_pillows_own_conversion(mode):
    image = photograph().convert(mode)
    form = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    content = encoded(image, form)
    assert np.array_equal(rgb(content), np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))
    assert np.array_equal(rgb(content), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGB"])
def test_jpegs_of_any_colours_are_converted_by_pillow(mode):
    content = encoded(photograph().convert(mode), "JPEG")
    expected = Image.open(io.BytesIO(content))
    assert expected.mode == mode
    assert np.array_equal(rgb(content), np.asarray(expected.convert("RGB")))


def test_transparency_is_dropped_and_the_colour_beneath_shows():
    image = Image.new("RGBA", (1, 1), (10, 20, 30, 0))
    assert rgb(encoded(image)).tolist() == [[[10, 20, 30]]]


def test_a_palette_with_transparency_gives_its_colours_and_no_warning():
    image = Image.new("P", (2, 1))
    image.putpalette([9, 8, 7, 1, 2, 3])
    image.putpixel((0, 0), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rgb(encoded(image, transparency=bytes([0, 128]))).tolist() == [[[1, 2, 3], [9, 8, 7]]]


def test_a_turn_that_exif_asks_for_is_not_made():
    image, exif = photograph(), Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    content = encoded(image, "JPEG", exif=exif)
    assert Image.open(io.BytesIO(content)).getexif()[0x0112] == 6
    assert np.array_equal(rgb(content), rgb(encoded(image, "JPEG")))
    assert rgb(content).shape == (6, 5, 3)


@pytest.mark.parametrize(
    "content",
    [
        png_of_16_bits(VALUES),
        encoded(Image.fromarray(VALUES), "TIFF"),
        b"P5 6 1 65535\n" + VALUES.astype(">u2").tobytes(),
    ],
    ids=["png", "tif", "pgm"],
)
def test_the_upper_eight_of_16_bits_are_used_as_pillow_does_with_colour(content):
    in_colour = Image.open(io.BytesIO(png_of_16_bits(np.stack([VALUES] * 3, axis=2))))
    assert in_colour.mode == "RGB"
    assert np.array_equal(rgb(content), np.asarray(in_colour))
    assert np.asarray(opened("x", content, "L")).tolist() == [[0, 0, 1, 127, 156, 255]]


def test_the_first_of_several_frames_or_pages_is_used():
    first, other = Image.new("RGB", (2, 2), "red"), Image.new("RGB", (2, 2), "blue")
    for form in ("GIF", "TIFF"):
        assert rgb(encoded(first, form, save_all=True, append_images=[other])).tolist() == [[[255, 0, 0]] * 2] * 2


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_of_unknown_range_are_refused(mode):
    with pytest.raises(BenchError, match=rf"x.tif cannot be read as an image: its pixels are .* \(mode {mode}\)"):
        opened("x.tif", encoded(Image.new(mode, (2, 2), 7), "TIFF"), "RGB")
