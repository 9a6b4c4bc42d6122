"""The quarantine: what was refused on the way in, why, and what to do about it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from flip_trust.audit import Entry
from flip_trust.console import quarantine_view
from flip_trust.console.desk import Asking, At, Desk, Sent
from flip_trust.console.drawing import draw
from flip_trust.console.paging import Page
from flip_trust.console.quarantine_view import Image
from flip_trust.durable import sync_folder
from flip_trust.errors import ConsentError
from flip_trust.imaging import cleaning
from flip_trust.ingest import quarantine

router = APIRouter(prefix="/quarantine")
MOST_AT_ONCE = 16
LONGEST_REASON = 500
_CLEANED = "deidentification"
Number = Annotated[int, Query(ge=1, le=1_000_000)]


@router.get("")
def quarantine_page(
    request: Request,
    desk: At,
    person: Asking,
    reason: Annotated[str, Query(max_length=300)] = "",
    page: Number = 1,
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Refused images and records by reason, and the images one by one."""
    desk.policies.authorise(person, "view_quarantine")
    found = quarantine_view.images(desk.config.home)
    chosen = [image for image in found if not reason or image.reason == reason]
    pages = Page(page, len(chosen), "/quarantine", {"reason": reason})
    inside = desk.may(person, "inspect_quarantine")
    return draw(
        request,
        "quarantine.html",
        by_reason=Counter(image.reason for image in found).most_common(),
        images=pages.of(chosen) if inside else [],
        inside=inside,
        chosen=reason,
        pages=pages,
        records=quarantine_view.records(desk.config.home),
        profile=desk.config.deidentification_profile,
        done=done,
    )


@router.get("/images/{kind}/{name}")
def image_page(request: Request, desk: At, person: Asking, kind: str, name: str) -> Response:
    """One refused image: a technical summary of its header. That somebody looked is in the audit log."""
    desk.policies.authorise(person, "inspect_quarantine")
    image = quarantine_view.image(desk.config.home, kind, name)
    desk.note(Entry(person.actor, "quarantine.looked", f"image/{name}"))
    return _image(request, desk, image)


@router.post("/images/{kind}/{name}/retry")
def retry_image(request: Request, desk: At, person: Asking, kind: str, name: str, _form: Sent) -> Response:
    """Try one again, under the profile as it is now."""
    desk.policies.authorise(person, "retry_quarantined")
    image = quarantine_view.image(desk.config.home, kind, name)
    return _retried(request, desk, person.actor, [image])


@router.post("/retry")
def retry_some(request: Request, desk: At, person: Asking, form: Sent) -> Response:
    """Try those of one reason again, a few at a time: the rest is for the command that has workers."""
    desk.policies.authorise(person, "retry_quarantined")
    reason = str(form.get("reason", ""))
    found = [one for one in quarantine_view.images(desk.config.home) if one.reason == reason and one.kind == _CLEANED]
    return _retried(request, desk, person.actor, found[:MOST_AT_ONCE])


@router.post("/images/{kind}/{name}/delete")
def delete_image(request: Request, desk: At, person: Asking, kind: str, name: str, form: Sent) -> Response:
    """Delete one for good, with a reason."""
    desk.policies.authorise(person, "delete_quarantined")
    home, image = desk.config.home, quarantine_view.image(desk.config.home, kind, name)
    reason, problem = _reason(form)
    if problem:
        return _image(request, desk, image, problem=problem, reason=reason, status=422)
    # the entry first: whatever a kill leaves undone, the log says what was wanted, and it can be done again
    details = {"reason": reason, "refused": image.reason}
    desk.note(Entry(person.actor, "quarantine.deleted", f"image/{name}", details))
    if kind == _CLEANED:
        why = {"reason": reason, "by": person.actor, "at": desk.clock().isoformat(timespec="seconds")}
        cleaning.delete(home, name, why)
    else:
        folder = home / quarantine.FOLDER / kind
        (folder / name).unlink(missing_ok=True)
        (folder / f"{name}.json").unlink(missing_ok=True)
        sync_folder(folder)
    return RedirectResponse("/quarantine?done=deleted", status_code=303)


@router.get("/records/{kind}/{name}")
def records_page(request: Request, desk: At, person: Asking, kind: str, name: str, page: Number = 1) -> Response:
    """Refused records of one source: where each stands in it, and why it was refused. Not what it says."""
    desk.policies.authorise(person, "inspect_quarantine")
    return _records(request, desk, kind, name, page)


@router.post("/records/{kind}/{name}/delete")
def delete_records(request: Request, desk: At, person: Asking, kind: str, name: str, form: Sent) -> Response:
    """Delete the refused records of one source for good, with a reason."""
    desk.policies.authorise(person, "delete_quarantined")
    path = quarantine_view.path_of(desk.config.home, kind, name)
    reason, problem = _reason(form)
    if problem:
        return _records(request, desk, kind, name, 1, problem=problem, reason=reason, status=422)
    desk.note(Entry(person.actor, "quarantine.deleted", f"records/{kind}/{name}", {"reason": reason}))
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
    return RedirectResponse("/quarantine?done=deleted", status_code=303)


def _retried(request: Request, desk: Desk, actor: str, images: list[Image]) -> Response:
    names = [image.name for image in images if image.kind == _CLEANED and image.is_there]
    if not names:
        raise ConsentError(
            "There is nothing here that can be tried again.",
            "Images whose header cannot be read have to be sent anew; a slide's label is never let through.",
        )
    tally = cleaning.Cleaning(desk.config.home).again(names)
    details = {"tried": len(names), "let_through": tally.done}
    desk.note(Entry(actor, "quarantine.retried", f"image/{names[0]}" if len(names) == 1 else "images", details))
    return draw(request, "retried.html", tried=len(names), done=tally.done, refused=_in_words(tally.refused))


def _in_words(refused: Counter[str]) -> list[tuple[str, int]]:
    from flip_trust.deidentification.refusals import Reason

    return [(Reason[name].value, count) for name, count in refused.most_common()]


def _image(request: Request, desk: Desk, image: Image, status: int = 200, **content: Any) -> Response:
    rows = quarantine_view.header(desk.config.home, image) if image.is_there else []
    return draw(
        request, "image.html", status=status, image=image, header=rows, can_retry=image.kind == _CLEANED, **content
    )


def _records(
    request: Request, desk: Desk, kind: str, name: str, page: int, status: int = 200, **content: Any
) -> Response:
    path = quarantine_view.path_of(desk.config.home, kind, name)
    found = next(one for one in quarantine_view.records(desk.config.home) if (one.kind, one.name) == (kind, name))
    pages = Page(page, found.total, f"/quarantine/records/{kind}/{name}", {})
    rows = quarantine_view.places(path, pages.offset)
    return draw(request, "records.html", status=status, found=found, rows=rows, pages=pages, path=path, **content)


def _reason(form: FormData) -> tuple[str, str]:
    reason = str(form.get("reason", "")).strip()
    if not reason:
        return reason, "Say why you delete this: it is kept in the audit log."
    return reason, f"Use at most {LONGEST_REASON} characters." if len(reason) > LONGEST_REASON else ""
