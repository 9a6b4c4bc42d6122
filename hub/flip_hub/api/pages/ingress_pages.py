"""Pages of files that come in: asking for one, and deciding on it."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, Request
from flip_sdk.contract.airlock import FilePath
from flip_sdk.contract.ingress import DecideIngress, NewIngress
from flip_sdk.contract.records import Name, Token
from flip_sdk.errors import NotAllowedError, PublicError
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from flip_hub.airlock import ingress
from flip_hub.airlock.previews import Preview, preview
from flip_hub.api.guard import MAX_BODY_BYTES
from flip_hub.api.pages.drawing import draw
from flip_hub.api.pages.forms import Sent
from flip_hub.api.pages.names import display_names
from flip_hub.api.sending import attachment
from flip_hub.api.sessions import CSRF_FIELD, Asking, At, check_csrf, desk_of
from flip_hub.governance.office import Office
from flip_hub.policy import Subject

router = APIRouter()
_KINDS = {".csv": "table", ".tsv": "table", ".ipynb": "notebook", ".safetensors": "model"}
_BINARY = (".png", ".jpg", ".jpeg", ".pdf")


@router.get("/projects/{project_id}/incoming")
def incoming_page(request: Request, subject: Asking, office: At, project_id: Name) -> Response:
    """A project's files on their way in, and a form to bring one."""
    return _show_project(request, office, subject, project_id)


@router.post("/projects/{project_id}/incoming")
async def bring_in(request: Request, subject: Asking, office: At, project_id: Name) -> Response:
    """Take a file, and ask for it to be let in."""
    limit = await run_in_threadpool(ingress.upload_limit, office, subject, project_id)
    async with request.form(max_files=1, max_fields=20, max_part_size=min(limit, MAX_BODY_BYTES)) as form:
        check_csrf(desk_of(request), request, str(form.get(CSRF_FIELD, "")))
        file = form.get("file")
        values = {name: str(form.get(name, "")).strip() for name in ("purpose", "source", "holds_people", "key")}
        content = await file.read() if isinstance(file, UploadFile) else b""
        name = (file.filename or "").rpartition("/")[2] if isinstance(file, UploadFile) else ""
    return await run_in_threadpool(_ask, request, office, subject, project_id, content, name, values)


@router.get("/airlock/ingress/{ingress_id}")
def ingress_page(request: Request, subject: Asking, office: At, ingress_id: Token) -> Response:
    """One file on its way in, for whoever decides on it."""
    return _show_one(request, office, subject, ingress_id)


@router.get("/airlock/ingress/{ingress_id}/content")
def ingress_content(subject: Asking, office: At, ingress_id: Token) -> Response:
    """The file, to save."""
    path, content = ingress.content_of(office, subject, ingress_id)
    return attachment(content, path)


@router.post("/airlock/ingress/{ingress_id}/decision")
def decide(request: Request, subject: Asking, office: At, ingress_id: Token, form: Sent) -> Response:
    """Let it in, or not."""
    try:
        wanted = DecideIngress.model_validate(
            {"decision": form.get("decision"), "reason": str(form.get("reason", "")).strip()}
        )
        ingress.decide(office, subject, ingress_id, wanted)
    except ValidationError:
        return _show_one(request, office, subject, ingress_id, "Choose whether to let the file in.", 422)
    except NotAllowedError:
        raise
    except PublicError as error:
        return _show_one(request, office, subject, ingress_id, f"{error.message} {error.mend}", 422)
    return RedirectResponse(f"{desk_of(request).prefix}airlock#incoming", status_code=303)


@router.post("/airlock/ingress/{ingress_id}/withdraw")
def withdraw(request: Request, subject: Asking, office: At, ingress_id: Token, _form: Sent) -> Response:
    """Take it back."""
    view = ingress.withdraw(office, subject, ingress_id)
    return RedirectResponse(f"{desk_of(request).prefix}projects/{view.project_id}/incoming", status_code=303)


def _ask(
    request: Request,
    office: Office,
    subject: Subject,
    project_id: str,
    content: bytes,
    name: str,
    values: dict[str, str],
) -> Response:
    try:
        address = office.blobs.put(content)
        wanted = NewIngress(
            path=name.replace(" ", "_"),
            content=address,
            purpose=values["purpose"],
            source=values["source"],
            holds_people=values["holds_people"] == "yes",
            idempotency_key=values["key"] or secrets.token_hex(8),
        )
        ingress.keep_upload(office, subject, project_id, address, len(content))
        ingress.request(office, subject, project_id, wanted)
    except ValidationError as error:
        return _show_project(request, office, subject, project_id, _problems(error), values)
    except NotAllowedError:
        raise
    except PublicError as error:
        problems = {"file": f"{error.message} {error.mend}".strip()}
        return _show_project(request, office, subject, project_id, problems, values)
    return RedirectResponse(f"{desk_of(request).prefix}projects/{project_id}/incoming", status_code=303)


def _problems(error: ValidationError) -> dict[str, str]:
    words = {
        "path": "Choose a file whose name has letters, digits, hyphens, dots and underscores only.",
        "purpose": "Say in a sentence what the file is for.",
        "source": "Say where the file comes from, and under which licence or agreement.",
    }
    fields = [str(detail["loc"][0]) for detail in error.errors(include_input=False) if detail["loc"]]
    return {("file" if name == "path" else name): words.get(name, "Correct this.") for name in fields}


def _show_project(
    request: Request,
    office: Office,
    subject: Subject,
    project_id: str,
    problems: dict[str, str] | None = None,
    values: dict[str, str] | None = None,
) -> Response:
    found = ingress.ingress_of(office, subject, project_id)
    with office.database.read() as session:
        names = display_names(
            session, [name for file in found for name in (file.requested_by, file.decided_by) if name]
        )
    return draw(
        request,
        "incoming.html",
        status=422 if problems else 200,
        project_id=project_id,
        files=found,
        names=names,
        problems=problems or {},
        values=values or {},
        key=secrets.token_hex(8),
        most=min(office.config.max_output_bytes, MAX_BODY_BYTES) // 2**20,
        refusal=_refusal(office, subject, project_id),
    )


def _refusal(office: Office, subject: Subject, project_id: str) -> str:
    try:
        ingress.upload_limit(office, subject, project_id)
    except PublicError as error:
        return f"{error.message} {error.mend}".strip()
    return ""


def _show_one(
    request: Request, office: Office, subject: Subject, ingress_id: str, problem: str = "", status: int = 200
) -> Response:
    view, content = ingress.show_to_decide(office, subject, ingress_id)
    with office.database.read() as session:
        names = display_names(session, [view.requested_by])
    shown = _preview(view.path, content)
    return draw(request, "ingress.html", status=status, file=view, preview=shown, names=names, problem=problem)


def _preview(path: FilePath, content: bytes) -> Preview:
    suffix = "." + path.rpartition(".")[2].lower()
    if suffix in _BINARY:
        return Preview("none", note="It is not shown here: save it, and open it.")
    return preview(path, _KINDS.get(suffix, "text"), content)  # type: ignore[arg-type]
