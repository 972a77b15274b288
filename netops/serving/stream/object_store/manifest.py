"""The manifest of a partition: the one object that decides who owns the state, and what it is.

Everything else is written under keys of its own, ``g<generation>/<number>``, which are never written twice. A state
is saved once the manifest names its objects; until then, the former ones are valid.
"""

import msgspec

from netops.errors import NetopsError

#: The name of the object.
NAME = "manifest.json"
_VERSION = 1


class Blob(msgspec.Struct, frozen=True, array_like=True):
    """An object: its key below the partition, and its size in bytes."""

    key: str
    size: int


class AlertImage(msgspec.Struct, frozen=True):
    """The alert store, in blocks of several objects.

    Attributes
    ----------
    size : int
        Bytes of the file.
    digest : str
        BLAKE2b of the file.
    packs : list of Blob
        The objects.
    blocks : list of (int, int)
        Of each block in order: index of the object, and position in it, in blocks.
    """

    size: int
    digest: str
    packs: list[Blob]
    blocks: list[tuple[int, int]]


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The manifest.

    Attributes
    ----------
    generation : int
        The fencing token: a later owner has a higher one.
    owner : str
        Identifies the lease; empty: the state is released.
    write : str
        Identifies this version, for a write whose answer is lost.
    snapshots : dict
        Name → object of each file of the snapshot.
    alerts : AlertImage or None
        The alert store.
    texts : dict
        Name → content of the other small files.
    letters : list of Blob
        The dead letters, oldest first.
    """

    generation: int
    owner: str
    write: str
    version: int = _VERSION
    snapshots: dict[str, Blob] = {}
    alerts: AlertImage | None = None
    texts: dict[str, str] = {}
    letters: list[Blob] = []

    @property
    def keys(self) -> set[str]:
        """The keys of all objects."""
        packs = () if self.alerts is None else self.alerts.packs
        return {blob.key for blob in (*self.snapshots.values(), *packs, *self.letters)}

    def encoded(self) -> bytes:
        """Return the content of the object."""
        return msgspec.json.encode(self)


def decoded(body: bytes, where: str) -> Manifest:
    """Return the manifest of an object.

    Raises
    ------
    NetopsError
        If it cannot be read.
    """
    try:
        found = msgspec.json.decode(body, type=Manifest)
    except msgspec.DecodeError as error:
        raise NetopsError(
            f"{where}/{NAME}: cannot be read: {error}; restore it, or delete it to begin again"
        ) from None
    if found.version != _VERSION:
        raise NetopsError(f"{where}/{NAME}: written by another NetOps (version {found.version}); update this one")
    return found
