"""One file that holds a program's whole state: a ZIP with a manifest that names every member by its digest."""

from flip_sdk.archives.errors import ArchiveError, BrokenArchiveError, PassphraseError
from flip_sdk.archives.manifest import FORMAT, Manifest, Member
from flip_sdk.archives.reading import Archive, open_archive
from flip_sdk.archives.sealing import SEALED, open_sealed, passphrase_of, seal
from flip_sdk.archives.writing import PIECE, Draft, pieces_of, sync_folder, write_archive

__all__ = [
    "FORMAT",
    "PIECE",
    "SEALED",
    "Archive",
    "ArchiveError",
    "BrokenArchiveError",
    "Draft",
    "Manifest",
    "Member",
    "PassphraseError",
    "open_archive",
    "open_sealed",
    "passphrase_of",
    "pieces_of",
    "seal",
    "sync_folder",
    "write_archive",
]
