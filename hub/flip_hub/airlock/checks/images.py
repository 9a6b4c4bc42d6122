"""PNG and JPEG: what is told beside the picture, what is hidden behind it, what it shows, and what is written in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from flip_sdk.contract.airlock import Finding

from flip_hub.airlock.checks import pixels
from flip_hub.airlock.checks.containers import Container, ContainerError, read_jpeg, read_png
from flip_hub.airlock.checks.rules import Check, Rule, Subject, listed, many
from flip_hub.airlock.checks.shape import small_groups
from flip_hub.airlock.checks.texts import read_text

BROKEN = Rule("image.broken", "block", "It cannot be read as a picture: {why}.", "Save it again as PNG.")
TOO_LARGE = Rule(
    "image.too_large",
    "block",
    "It has {width:,} × {height:,} pixels; {most:,} in all are looked at.",
    "Save it smaller.",
)
AFTER = Rule(
    "image.data_after_the_end",
    "block",
    "{many} follow the picture's end, where no viewer shows them.",
    "Save it again as PNG.",
)
HIDDEN = Rule(
    "image.hidden_data",
    "block",
    "It holds parts that no viewer shows: {names}.",
    "Save it again as a plain PNG with one picture.",
)
METADATA = Rule(
    "image.metadata",
    "flag",
    "It tells more than the picture shows: {names}.",
    "Save it without metadata: savefig(…, metadata={{}}), or image.save(…) of the pixels alone.",
)
SCAN = Rule(
    "image.looks_medical",
    "block",
    "It looks like a medical image: {why}.",
    "Images of persons never leave. A figure in greys is let through in a colour map.",
)
PHOTOGRAPH = Rule(
    "image.looks_like_a_photograph",
    "block",
    "It looks like a photograph or a slide, not like a figure.",
    "Images of persons never leave. Draw figures on an even ground.",
)
POINTS = Rule(
    "image.points",
    "flag",
    "It shows about {points} separate points, and each may be a person.",
    "Draw numbers of persons instead: a histogram, hexagons of at least {threshold} persons, or a curve.",
)
NO_COUNTS = Rule(
    "image.no_counts_behind",
    "flag",
    "A figure cannot be checked by a program, and no counts behind it are given: a person must look.",
    "Name a file with the numbers that it shows as underlying: it helps the checkers and does not leave.",
)
SMALL_BEHIND = Rule(
    "image.small_behind",
    "flag",
    "The counts behind it are of fewer than {threshold} persons in {many}.",
    "Join groups, or leave them out of the figure.",
)
NOT_A_TABLE = Rule(
    "image.underlying_has_no_counts", "flag", "The file named as underlying holds no counts.", "Name a table of counts."
)
LOOK = Rule("image.counts_behind", "note", "The counts behind the figure are in {path}: a person may compare them.")
UNREAD = Rule("image.not_read", "flag", "What is written in it was not read: {why}.", "A person must read it.")
READ = Rule("image.written", "note", "It was searched for text: {count} words were read.")
_HARMLESS = ("matplotlib", "www.inkscape.org", "gnu r", "ggplot")


def _container(subject: Subject) -> Iterator[Finding]:
    if subject.file.form == "svg":
        return
    found = contained(subject)
    if isinstance(found, ContainerError):
        yield BROKEN.found(why=found)
        return
    if found.after > 0:
        yield AFTER.found(many=many(found.after, "byte"), numbers={"bytes": found.after})
    if found.hidden:
        yield HIDDEN.found(names=listed(found.hidden))
    told = [name for name, text in found.told.items() if not _harmless(name, text)]
    if told:
        yield METADATA.found(names=listed(told))
    if found.bits > 8:
        yield SCAN.found(why=f"it has {found.bits} bits a pixel, as scanners make them", numbers={"bits": found.bits})


def contained(subject: Subject) -> Container | ContainerError:
    """What the file holds besides its picture, or why it is no picture."""
    read = read_png if subject.file.form == "png" else read_jpeg
    try:
        return read(subject.file.content)
    except ContainerError as error:
        return error


def _harmless(name: str, text: str) -> bool:
    """Whether it is what a plotting library says of itself."""
    return name == "tIME" or (name == "Software" and len(text) < 100 and text.lower().startswith(_HARMLESS))


def _picture(subject: Subject) -> Iterator[Finding]:
    if subject.file.form == "svg":
        return
    found, most = contained(subject), subject.limits.image_pixels
    if isinstance(found, ContainerError):
        return
    if found.width * found.height > most:
        yield TOO_LARGE.found(width=found.width, height=found.height, most=most)
        return
    try:
        picture = pixels.decode(subject.file.content, subject.file.form)
    except ValueError as error:
        yield BROKEN.found(why=str(error)[:200])
        return
    look = pixels.look(picture)
    if look.scan:
        yield SCAN.found(why=f"{look.levels} shades of grey without edges", numbers={"greys": look.levels})
    elif look.photograph:
        yield PHOTOGRAPH.found(numbers={"colours": look.colours})
    if look.points >= 40:
        yield POINTS.found(points=look.points, threshold=subject.limits.threshold, numbers={"points": look.points})
    yield from _written(subject, picture)


def _written(subject: Subject, picture: pixels.Picture) -> Iterator[Finding]:
    try:
        text = pixels.words_of(picture)
    except OSError:
        yield UNREAD.found(why="tesseract is not installed here")
    except subprocess.SubprocessError as error:
        yield UNREAD.found(
            why="tesseract failed" if isinstance(error, subprocess.CalledProcessError) else "it took too long"
        )
    else:
        yield READ.found(count=len(text.split()))
        yield from read_text(text, subject.limits, "Written in the picture: ")


def _behind(subject: Subject) -> Iterator[Finding]:
    underlying = subject.underlying
    if underlying is None:
        yield NO_COUNTS.found()
        return
    small = small_groups(subject, underlying)
    if small is None:
        yield NOT_A_TABLE.found()
    elif small:
        threshold = subject.limits.threshold
        yield SMALL_BEHIND.found(threshold=threshold, many=many(len(small), "row"), numbers={"rows": len(small)})
    else:
        yield LOOK.found(path=underlying.path)


CHECKS = (
    Check(
        "parts of an image",
        frozenset({"image"}),
        _container,
        "EXIF, comments and other metadata; parts that no viewer shows; data after the picture's end; 16-bit pixels.",
    ),
    Check(
        "what an image shows",
        frozenset({"image"}),
        _picture,
        "Pictures that look like scans, slides or photographs; many single points; text in the picture, read by "
        "tesseract.",
        needs=("PIL", "scipy"),
    ),
    Check(
        "counts behind a figure",
        frozenset({"image"}),
        _behind,
        "Whether the numbers behind a figure are given, and large.",
    ),
)
