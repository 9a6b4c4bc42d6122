"""The levels of a tiled TIFF, copied tile by tile as they are compressed, and nothing else that is in the file.

Tags are on a list: what an image is read by. Comments and application data inside compressed tiles (Exif, XMP) are left
out too, but for Adobe's, which says how colours are coded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from flip_trust.errors import UnfitImageError

_TAKEN: Final = frozenset({1, 5, 7, 8, 32946, 33003, 33005})
"""Compressions of TIFF: none, LZW, JPEG, deflate (two numbers) and Aperio's JPEG 2000 (two)."""
_JPEG: Final = 7
_J2K: Final = frozenset({33003, 33005})
_NOT_COPIED_JPEG: Final = frozenset({0xFE, *range(0xE0, 0xEE), 0xEF})
_NOT_COPIED_J2K: Final = frozenset({0x64})
_ENDS: Final = frozenset({0xDA, 0x90, 0xD9})
_CENTIMETRE: Final = 1e4


def copy_levels(source: Path, target: Path, mpp: float | None) -> int:
    """Write a file's levels, finest first, with their scale.

    Args:
        source: any tiled TIFF in three colours of eight bits.
        target: is written over.
        mpp: micrometres an element; None: as the file tells.

    Returns:
        How many tiles were copied.

    Raises:
        UnfitImageError: it is none, or does not tell its scale.
        OSError: the disk does not give or take it.
    """
    import tifffile

    scale = mpp or _scale_of(source)
    try:
        with tifffile.TiffFile(source) as given, tifffile.TiffWriter(target, bigtiff=True) as made:
            levels = [level.keyframe for level in given.series[0].levels if level.keyframe.is_tiled]
            if not levels or not all(map(_is_taken, levels)):
                raise UnfitImageError("it is no tiled TIFF in three colours, compressed in a way that is known")
            for number, page in enumerate(levels):
                of_level = scale * levels[0].imagewidth / page.imagewidth
                place = {"subifds": len(levels) - 1} if number == 0 else {"subfiletype": 1}
                made.write(_tiles(given, page), **(_tags(page, of_level) | place))
            return sum(len(page.dataoffsets) for page in levels)
    except (tifffile.TiffFileError, ValueError, IndexError, KeyError, TypeError) as error:
        raise UnfitImageError(f"it cannot be read as a TIFF ({type(error).__name__})") from error


def _scale_of(source: Path) -> float:
    from tiffslide import TiffSlide

    try:
        with TiffSlide(source) as slide:
            told = slide.properties.get("tiffslide.mpp-x")
    except OSError:
        raise
    except Exception as error:
        raise UnfitImageError(f"it cannot be read as a slide ({type(error).__name__})") from error
    if not told or not math.isfinite(float(told)) or float(told) <= 0:
        raise UnfitImageError("it does not tell its scale: give it as mpp")
    return float(told)


def _is_taken(page: Any) -> bool:
    colours = page.samplesperpixel == 3 and page.bitspersample == 8 and page.planarconfig == 1
    return bool(colours and int(page.compression) in _TAKEN)


def _tags(page: Any, mpp: float) -> dict[str, Any]:
    tags: dict[str, Any] = {
        "shape": page.shape,
        "dtype": page.dtype,
        "tile": (page.tilelength, page.tilewidth),
        "photometric": int(page.photometric),
        "planarconfig": 1,
        "compression": int(page.compression),
        "resolution": (_CENTIMETRE / mpp, _CENTIMETRE / mpp),
        "resolutionunit": 3,
        "metadata": None,
        "description": "",
        "software": False,
    }
    if page.predictor != 1:
        tags["predictor"] = int(page.predictor)
    if int(page.compression) == _JPEG:
        tags["subsampling"] = tuple(page.subsampling or (1, 1))
        if page.jpegtables:
            tags["jpegtables"] = _bare(page.jpegtables, _NOT_COPIED_JPEG)
    return tags


def _tiles(given: Any, page: Any) -> Iterator[bytes]:
    compression = int(page.compression)
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        given.filehandle.seek(offset)
        tile: bytes = given.filehandle.read(count)
        if compression == _JPEG:
            tile = _bare(tile, _NOT_COPIED_JPEG)
        elif compression in _J2K:
            tile = _bare(tile, _NOT_COPIED_J2K)
        yield tile


def _bare(stream: bytes, left_out: frozenset[int]) -> bytes:
    """A JPEG or JPEG 2000 stream without some of the segments before its picture begins.

    Raises:
        UnfitImageError: it is none.
    """
    if not stream:
        return stream
    kept, at = [stream[:2]], 2
    while at + 4 <= len(stream) and stream[at] == 0xFF and stream[at + 1] not in _ENDS:
        length = 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        if stream[at + 1] not in left_out:
            kept.append(stream[at : at + length])
        at += length
    if stream[at : at + 1] != b"\xff":
        raise UnfitImageError("a tile of it is damaged")
    return b"".join([*kept, stream[at:]])
