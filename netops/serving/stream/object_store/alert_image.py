"""The alert store as blocks: of a large file, only what has changed is uploaded."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from netops.errors import NetopsError
from netops.serving.stream.object_store.manifest import AlertImage, Blob

#: Bytes of a block; objects of an image before it is written as one again.
BLOCK, _PACKS = 1 << 16, 24


class Uploaded(NamedTuple):
    """What is in the store: the image, the version of the file, and the digests of its blocks."""

    image: AlertImage | None
    version: int | None
    digests: Sequence[bytes]


class AlertBlocks:
    """The alert store, read while others write it. Not thread-safe.

    Parameters
    ----------
    path : Path
        The SQLite file.
    write : callable
        Writes a new object.
    """

    def __init__(self, path: Path, write: Callable[[bytes], Blob]) -> None:
        self._path, self._write = path, write
        self._connection: sqlite3.Connection | None = None
        self._inode, self._version = -1, -1
        self._digests: Sequence[bytes] = ()

    def restored(self, content: bytes) -> None:
        """Remember the content that is in the store already."""
        self._digests = _digests(content)

    def uploaded(self, before: AlertImage | None) -> Uploaded:
        """Write what has changed since the last :meth:`taken`; return what is in the store then.

        Parameters
        ----------
        before : AlertImage or None
            The image of that time.

        Raises
        ------
        NetopsError
            If the file cannot be read, or the objects cannot be written.
        """
        try:
            if (version := self._changed()) is None:
                return Uploaded(before, None, self._digests)
            assert self._connection is not None
            content = self._connection.serialize()
        except sqlite3.Error as error:
            raise NetopsError(f"{self._path}: cannot be read: {error}") from None
        image, found = updated(content, before, self._digests, self._write)
        return Uploaded(image, version, found)

    def taken(self, found: Uploaded) -> None:
        """Remember that the manifest names an image."""
        if found.version is not None:
            self._version, self._digests = found.version, found.digests

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _changed(self) -> int | None:
        """Return the version of the file; None if it is that of the last image, or there is no file."""
        try:
            inode = os.stat(self._path).st_ino
        except FileNotFoundError:
            return None
        if self._connection is None or inode != self._inode:
            self.close()
            self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._inode, self._version = inode, -1
        version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        return None if version == self._version else version


def updated(
    content: bytes, before: AlertImage | None, known: Sequence[bytes], write: Callable[[bytes], Blob]
) -> tuple[AlertImage, Sequence[bytes]]:
    """Write the blocks that have changed as one object; return the new image and its digests.

    Parameters
    ----------
    content : bytes
        The file.
    before : AlertImage or None
        What is in the store.
    known : sequence of bytes
        The digests of its blocks.
    write : callable
        Writes an object.
    """
    found = _digests(content)
    if before is None or len(before.packs) >= _PACKS or _is_sparse(before):
        before, known = AlertImage(0, "", [], []), ()
    changed = [index for index, digest in enumerate(found) if index >= len(known) or known[index] != digest]
    blocks, packs = before.blocks[: len(found)], [*before.packs]
    blocks += [(0, 0)] * (len(found) - len(blocks))
    for position, index in enumerate(changed):
        blocks[index] = len(packs), position
    if changed:
        packs.append(write(b"".join(content[index * BLOCK : (index + 1) * BLOCK] for index in changed)))
    whole = blake2b(content, digest_size=16).hexdigest()
    return _without_unused(AlertImage(len(content), whole, packs, blocks)), found


def assembled(image: AlertImage, packs: Sequence[bytes], where: str) -> bytes:
    """Return the file of the contents of its objects.

    Raises
    ------
    NetopsError
        If it is not the file that was saved.
    """
    found = b"".join(packs[pack][index * BLOCK : (index + 1) * BLOCK] for pack, index in image.blocks)
    if len(found) != image.size or blake2b(found, digest_size=16).hexdigest() != image.digest:
        raise NetopsError(f"{where}: the alert store is damaged; restore its objects, or delete the partition")
    return found


def _digests(content: bytes) -> list[bytes]:
    view = memoryview(content)
    return [blake2b(view[start : start + BLOCK], digest_size=16).digest() for start in range(0, len(view), BLOCK)]


def _is_sparse(image: AlertImage) -> bool:
    """Return whether most of what is stored is not used any more."""
    return sum(pack.size for pack in image.packs) > 2 * image.size + 16 * BLOCK


def _without_unused(image: AlertImage) -> AlertImage:
    used = sorted({pack for pack, _ in image.blocks})
    numbers = {pack: number for number, pack in enumerate(used)}
    blocks = [(numbers[pack], position) for pack, position in image.blocks]
    return AlertImage(image.size, image.digest, [image.packs[pack] for pack in used], blocks)
