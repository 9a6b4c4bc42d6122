"""The index upstream, narrowed to what was approved: wheels with a SHA-256 digest, fetched once and verified.

Pages are read, narrowed and written by CERN's simple-repository (PEP 503, 691).
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import secrets
import time
from functools import cached_property
from pathlib import Path

import httpx
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion
from simple_repository import errors, model
from simple_repository.components.http import HttpRepository
from starlette.concurrency import run_in_threadpool

from flip_hub.config import HubConfig
from flip_hub.errors import ConflictError, DeniedError, MissingError, UnavailableError
from flip_hub.packages.approved import Package, approved

PAGE_SECONDS = 600.0
"""How long a page of the index upstream is believed."""
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_MEND = "Ask the hub's operator to approve it (flip-hub packages approve)."


class Index:
    """Approved packages of one hub.

    Args:
        config: the hub's settings.
        client: of HTTP; without it, one of its own.
    """

    def __init__(self, config: HubConfig, client: httpx.AsyncClient | None = None) -> None:
        self._config = config
        self._given = client
        self._pages: dict[str, tuple[float, model.ProjectDetail]] = {}
        self._kept = config.home / "packages"

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        """Made when it is needed: reading the certificates takes its time."""
        return self._given or httpx.AsyncClient(follow_redirects=True, timeout=_TIMEOUT)

    def names(self) -> model.ProjectList:
        """Every approved package."""
        found = frozenset(model.ProjectListElement(one.name) for one in approved(self._config).packages)
        return model.ProjectList(model.Meta("1.0"), found)

    async def page(self, name: str) -> model.ProjectDetail:
        """A package's approved wheels, with addresses below this page's.

        Raises:
            DeniedError: it was not approved.
            MissingError: there is no index, or it has no such package.
            UnavailableError: the index does not answer.
        """
        packages = self._approved(name)
        whole = await self._whole(canonicalize_name(name))
        files = tuple(_handed_on(file) for file in whole.files if _is_approved(file, packages))
        return dataclasses.replace(whole, meta=model.Meta("1.0"), files=files, versions=None)

    async def wheel(self, name: str, filename: str) -> tuple[Path, str]:
        """A wheel in the hub's own store, and its digest (``sha256:…``).

        Raises:
            DeniedError: it was not approved.
            MissingError: there is no such wheel.
            UnavailableError: the index does not answer.
            ConflictError: what it sent is not what its page says.
        """
        packages = self._approved(name)
        whole = await self._whole(canonicalize_name(name))
        for file in whole.files:
            if file.filename == filename and _is_approved(file, packages):
                path = self._kept / file.hashes["sha256"]
                if not path.is_file():
                    await self._fetch(file, path)
                return path, f"sha256:{file.hashes['sha256']}"
        raise MissingError(f"There is no approved wheel {filename}.", _MEND)

    def _approved(self, name: str) -> tuple[Package, ...]:
        if not self._config.package_index:
            raise MissingError("This hub has no index of packages.", "Ask the operator to set package_index.")
        packages = approved(self._config).named(name)
        if not packages:
            raise DeniedError(f"The package {name} is not approved for workspaces.", _MEND, "packages.approved")
        return packages

    async def _whole(self, name: str) -> model.ProjectDetail:
        since, page = self._pages.get(name, (0.0, None))
        if page is not None and time.monotonic() - since < PAGE_SECONDS:
            return page
        try:
            page = await HttpRepository(self._config.package_index, self._client).get_project_page(name)
        except errors.PackageNotFoundError as error:
            raise MissingError(f"The index has no package {name}.", "Look up how it is spelled.") from error
        except (errors.SourceRepositoryUnavailable, errors.UnsupportedSerialization, ValueError) as error:
            raise UnavailableError("The index of packages does not answer.", "Try again in a while.") from error
        self._pages[name] = time.monotonic(), page
        return page

    async def _fetch(self, file: model.File, path: Path) -> None:
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            await run_in_threadpool(path.parent.mkdir, mode=0o700, exist_ok=True)
            if await self._stream(file, part) != path.name:
                raise ConflictError(f"{file.filename} is not what the index says it is.", "Tell the operator.")
            await run_in_threadpool(part.replace, path)
        except httpx.HTTPError as error:
            raise UnavailableError("The index of packages does not answer.", "Try again in a while.") from error
        finally:
            part.unlink(missing_ok=True)

    async def _stream(self, file: model.File, part: Path) -> str:
        """Write a wheel down; its SHA-256 in hexadecimal digits."""
        summed, size = hashlib.sha256(), 0
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            async with self._client.stream("GET", file.url) as answer:
                answer.raise_for_status()
                async for piece in answer.aiter_bytes():
                    size += len(piece)
                    if size > self._config.max_package_bytes:
                        raise ConflictError(f"{file.filename} is too large.", "Ask the operator (max_package_bytes).")
                    summed.update(piece)
                    await run_in_threadpool(written.write, piece)
        return summed.hexdigest()


def _is_approved(file: model.File, packages: tuple[Package, ...]) -> bool:
    """Whether a file is a wheel of an approved version, with a digest to verify it by."""
    try:
        name, version, _, _ = parse_wheel_filename(file.filename)
    except (InvalidWheelFilename, InvalidVersion):
        return False
    is_one = name == canonicalize_name(packages[0].name) and any(one.holds(version) for one in packages)
    return is_one and not file.yanked and len(file.hashes.get("sha256", "")) == hashlib.sha256().digest_size * 2


def _handed_on(file: model.File) -> model.File:
    """The same file, at this hub."""
    sha = file.hashes["sha256"]
    return model.File(
        filename=file.filename,
        url=f"../../files/{canonicalize_name(parse_wheel_filename(file.filename)[0])}/{file.filename}",
        hashes={"sha256": sha},
        requires_python=file.requires_python,
        size=file.size,
    )
