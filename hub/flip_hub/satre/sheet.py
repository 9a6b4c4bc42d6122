"""The report as a spreadsheet: one row a requirement, and a sheet of what it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font

from flip_hub.satre.evidence import Evidence
from flip_hub.satre.judging import Judgement
from flip_hub.satre.requirements import Catalogue

_COLUMNS = (
    ("SATRE", 9),
    ("pillar", 24),
    ("capability", 26),
    ("importance", 14),
    ("software decides", 11),
    ("in FLIP's words", 50),
    ("standing", 18),
    ("evidence", 70),
    ("gap", 60),
)


def write_sheet(
    path: Path, catalogue: Catalogue, judgements: Sequence[Judgement], evidence: Evidence, now: datetime
) -> None:
    """Write the workbook.

    Raises:
        OSError: the file cannot be written.
    """
    book = Workbook()
    sheet = book.active
    sheet.title = "requirements"
    sheet.append([title for title, _ in _COLUMNS])
    for item in judgements:
        sheet.append(_row(item))
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for row in sheet.iter_rows(min_row=1):
        for cell in row:
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    for column, (_, width) in zip(sheet.columns, _COLUMNS, strict=True):
        sheet.column_dimensions[column[0].column_letter].width = width
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = sheet.dimensions
    about = book.create_sheet("about")
    for line in _about(catalogue, evidence, now):
        about.append(line)
    about.column_dimensions["A"].width, about.column_dimensions["B"].width = 24, 90
    book.save(path)


def _row(item: Judgement) -> list[str]:
    wanted = item.requirement
    proofs = "\n".join(f"{name} ({outcome})" if outcome else name for name, outcome in item.proofs)
    importance = wanted.importance + (f", unless {wanted.unless}" if wanted.unless else "")
    software = "yes" if wanted.software_decides else ""
    named = [wanted.id, wanted.pillar, wanted.capability, importance, software, wanted.words]
    return [*named, item.standing.value, proofs, wanted.gap]


def _about(catalogue: Catalogue, evidence: Evidence, now: datetime) -> list[list[str]]:
    return [
        ["specification", f"{catalogue.specification}, version {catalogue.version}"],
        ["source", catalogue.source],
        ["licence of its text", catalogue.licence],
        ["report made", f"{now:%d %B %Y, %H:%M} UTC"],
        ["tests ran at", f"{evidence.ended_at:%d %B %Y, %H:%M} UTC" if evidence.ended_at else "never"],
        ["tests ran on", evidence.commit + (", with changes" if evidence.changed else "")],
    ]
