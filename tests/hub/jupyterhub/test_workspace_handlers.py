"""What may answer in a workspace: an extension that is installed later adds nothing to it."""

from __future__ import annotations

from flip_workspace.guard import allowed, is_allowed
from jupyter_server.base.handlers import AuthenticatedFileHandler
from jupyter_server.files.handlers import FilesHandler
from jupyter_server.nbconvert.handlers import NbconvertFileHandler, NbconvertPostHandler
from jupyter_server.services.contents.handlers import ContentsHandler
from jupyter_server.view.handlers import ViewHandler

PACKAGES_OF_OUR_OWN = {"flip_lab.*", "flip_workspace.*"}
OTHERS = 43


class AnotherContentsHandler(ContentsHandler):  # type: ignore[misc]
    """As an extension may bring it."""


def test_the_list_grows_by_nothing_unnoticed() -> None:
    names = allowed()
    assert {name for name in names if name.endswith("*")} == PACKAGES_OF_OUR_OWN
    assert len(names - PACKAGES_OF_OUR_OWN) == OTHERS


def test_what_hands_out_files_is_not_on_it() -> None:
    names = allowed()
    for handler in (FilesHandler, AuthenticatedFileHandler, NbconvertFileHandler, NbconvertPostHandler, ViewHandler):
        assert not is_allowed(handler, names)


def test_a_handler_is_allowed_by_its_own_name_alone() -> None:
    names = allowed()
    assert is_allowed(ContentsHandler, names)
    assert not is_allowed(AnotherContentsHandler, names)
    assert not is_allowed(type("Handler", (), {"__module__": "flip_labyrinth.handlers"}), names)
    assert is_allowed(type("Handler", (), {"__module__": "flip_lab.handlers"}), names)
