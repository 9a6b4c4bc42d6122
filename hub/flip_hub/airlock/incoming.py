"""The folder of admitted files that a project's workspaces see, read-only, as ``incoming``."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from flip_hub.config import HubConfig
from flip_hub.errors import ConflictError

NAME = "incoming"


def incoming_folder(config: HubConfig, project_id: str) -> Path:
    """Where a project's admitted files are; made where it is missing."""
    folder = config.incoming / project_id
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return folder


def place(config: HubConfig, project_id: str, path: str, content: bytes) -> None:
    """Put an admitted file there, whole and durable or not at all. The same file again changes nothing.

    Raises:
        ConflictError: another file, or a folder, has this name.
    """
    target = incoming_folder(config, project_id) / path
    conflict = ConflictError(f"There is another {path} in {NAME}.", "Its author asks again under another name.")
    if target.is_file():
        if target.read_bytes() == content:
            return
        raise conflict
    draft = config.incoming / f".{secrets.token_hex(8)}"
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.chmod(0o444)
        if target.exists():
            raise conflict
        draft.rename(target)
    except (FileExistsError, NotADirectoryError) as error:
        raise conflict from error
    finally:
        draft.unlink(missing_ok=True)
