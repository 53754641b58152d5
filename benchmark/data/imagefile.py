"""Image files: which files of a folder are images, and how the content of one becomes pixels.

The one rule for datasets and for distilled sets. Pixels are those of Pillow's ``convert``: of several frames or pages
the first; the colour of a palette; transparency is dropped, so that the colour beneath it shows; CMYK, LAB and the like
by Pillow's formulas, without an ICC profile; a turn that EXIF asks for is not made, as in torchvision's loader. Of 16
bits the upper eight are used, as Pillow itself does with 16-bit colour in a PNG file.
"""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from ddbench.errors import BenchError

if TYPE_CHECKING:
    from PIL import Image

NAMES = """
    apng avif avifs blp bmp bw cur dcx dds dib ftc ftu gbr gif icb icns ico im j2c j2k jfif jp2 jpc jpe jpeg jpf jpg jpx
    mpo msp pbm pcd pcx pgm png pnm ppm psd pxr qoi ras rgb rgba sgi tga tif tiff vda vst webp xbm xpm
"""

SUFFIXES = tuple(f".{name}" for name in NAMES.split())
"""suffixes of images, in any case: all that Pillow decodes, but films (.fli, .flc), floats without a stated range
(.fits, .pfm) and formats that it hands to another program (.eps, .wmf, .h5, ...)"""

_SUFFIXES = frozenset(SUFFIXES)

SYSTEM = frozenset(("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "Thumbs.db", "desktop.ini"))
"""files and folders that operating systems leave behind"""


def is_image(name: str) -> bool:
    """Whether a file of this name is read as an image."""
    return name[name.rfind(".") :].lower() in _SUFFIXES


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over without a word: dot files, and what systems leave."""
    return name.startswith(".") or name in SYSTEM


def normalised(name: str) -> str:
    """A class name as it is compared: Unicode NFC, since some file systems hand an umlaut back as two characters."""
    return unicodedata.normalize("NFC", name)


def read(path: Path) -> bytes:
    """The content of an image file. Raises BenchError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}. Restore or remove the file.") from None


def opened(path: Path | str, content: bytes, mode: str, opaque: bool = False) -> Image.Image:
    """An image in Pillow's ``mode`` (RGB, L), by the rule above; ``path`` is for messages. ``opaque``: refuse an image
    with pixels that are not, as in a distilled set, whose maker knows what lies behind them.

    Raises BenchError when it is not an intact image, or has floats or 32-bit numbers, whose range is unknown.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
                return _upper_bits(image).convert(mode)
            # Pillow would clip them at 255: a white image and no error.
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"its pixels are floats or 32-bit numbers (mode {image.mode}), whose white is unknown")
            image.load()
            if opaque and (least := _opacity(image)) < 255:
                raise _transparent(path, image.mode, least)
            image.info.pop("transparency", None)  # it is dropped in any case, for some palettes with a warning
            return image.convert(mode)
    except UnidentifiedImageError:
        raise _unreadable(path, "it has no format that Pillow knows") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(path, str(error)) from None


def _upper_bits(image: Image.Image) -> Image.Image:
    """A grey image of 16 bits as one of 8."""
    import numpy as np
    from PIL import Image

    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _opacity(image: Image.Image) -> int:
    """The least alpha of an image's pixels, 0..255; 255 without an alpha channel or a transparent colour."""
    import numpy as np

    if not image.has_transparency_data:
        return 255
    return int(np.asarray(image.convert("RGBA").getchannel("A")).min())


def _transparent(path: Path | str, mode: str, least: int) -> BenchError:
    return BenchError(
        f"{path} has transparent pixels (mode {mode}, alpha down to {least} of 255), and what lies behind them is not "
        "said. Put the image on a background of your choice and save it without alpha (in Pillow: "
        "Image.alpha_composite, then convert('RGB'))."
    )


def _unreadable(path: Path | str, why: str) -> BenchError:
    return BenchError(f"{path} cannot be read as an image: {why.rstrip('.')}. Restore or remove the file.")
