"""The address of an object store: ``s3://bucket/prefix``."""

import re
from dataclasses import dataclass
from pathlib import Path

from netops.errors import UsageError

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class StoreAddress:
    """A bucket, and the prefix of all keys in it (without slashes around it; may be empty)."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, *parts: str) -> str:
        """Return the key of an object."""
        return "/".join(part for part in (self.prefix, *parts) if part)


def parse_state(state: str | Path) -> StoreAddress | Path:
    """Parse where the state is: a folder, or an object store.

    Raises
    ------
    UsageError
        If the address of the store is invalid.
    """
    text = str(state)
    if "://" not in text and not text.startswith("s3:"):
        return Path(state)
    bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
    if not text.startswith(SCHEME) or not _BUCKET.fullmatch(bucket) or re.search(r"[?#\s]|//", prefix):
        raise UsageError(f"--state {text[:200]}: expected a folder, or s3://bucket/prefix")
    return StoreAddress(bucket, prefix.strip("/"))
