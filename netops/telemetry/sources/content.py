"""Contents of a file: format (independent of its name), decompression and decoding."""

import codecs
import io
import lzma
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import pyarrow as pa

from netops.errors import NetopsError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
)
_HEAD = 1 << 18
#: Typical compression ratio of text.
GROWTH = 6
PARQUET, ARROW, EXCEL, OLD_EXCEL, TEXT = "Parquet", "Arrow", "Excel", "Excel 97", "text"


class ByteStream(Protocol):
    """A file, packed or not, or text that is decoded on the way."""

    def read(self, nbytes: int = ..., /) -> bytes:
        """Read some bytes."""

    def close(self) -> None:
        """Close it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> object: ...


@dataclass(frozen=True)
class Content:
    """A file and its detected format.

    Attributes
    ----------
    path : Path
    kind : str
        ``Parquet``, ``Arrow``, ``Excel``, ``Excel 97`` or ``text``.
    compression : str
        Empty if there is none.
    encoding : str
        Encoding of text, as Python names it.
    head : str
        The first characters.
    whole : bool
        Whether ``head`` is the complete text.
    """

    path: Path
    kind: str
    compression: str = ""
    encoding: str = "utf-8"
    head: str = ""
    whole: bool = False

    def open(self) -> ByteStream:
        """Open text as a stream of UTF-8 bytes."""
        stream = _unpacked(self.path, self.compression)
        if self.encoding != "utf-8":
            return pa.transcoding_input_stream(_as_arrow(stream), self.encoding, "utf-8")
        return stream

    def text(self) -> io.TextIOBase:
        """Open text with unchanged newlines."""
        return io.TextIOWrapper(io.BufferedReader(_Readable(self.open())), encoding="utf-8-sig", newline="")


def look_at(path: Path, encoding: str = "", option: str = "telemetry.encoding") -> Content:
    """Detect the format of a file.

    Parameters
    ----------
    path : Path
    encoding : str
        Encoding of text, if known.
    option : str
        The setting of the encoding, for errors.

    Raises
    ------
    NetopsError
        If it is empty, damaged, or text in an encoding that must be configured.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise NetopsError(f"{path}: cannot be read: {error.strerror}") from None
    if not start:
        raise NetopsError(f"{path}: the file is empty")
    for magic, kind in ((b"PAR1", PARQUET), (b"ARROW1", ARROW), (b"FEA1", ARROW), (b"\xd0\xcf\x11\xe0", OLD_EXCEL)):
        if start.startswith(magic):
            return Content(path, kind)
    compression = next((name for magic, name in _MAGIC if start.startswith(magic)), "")
    if compression == "zip" and _is_excel(path):
        return Content(path, EXCEL)
    raw, whole = _start_of(path, compression)
    if not raw:
        raise NetopsError(f"{path}: the file is empty" + (f" ({compression})" if compression else ""))
    for magic, kind in ((b"PAR1", PARQUET), (b"ARROW1", ARROW)):
        if raw.startswith(magic):
            raise NetopsError(f"{path}: a {kind} file compressed with {compression}; decompress it first")
    found = encoding or _encoding_of(raw)
    return Content(path, TEXT, compression, found, _decoded(path, raw, found, whole, option), whole)


def open_bytes(path: Path) -> tuple[ByteStream, str]:
    """Open a file of any format, decompressed.

    Returns
    -------
    stream : ByteStream
    compression : str
        Empty if there is none.

    Raises
    ------
    NetopsError
        If it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
        compression = next((name for magic, name in _MAGIC if start.startswith(magic)), "")
        return _unpacked(path, compression), compression
    except (OSError, zipfile.BadZipFile) as error:
        raise NetopsError(f"{path}: cannot be read: {_line(error)}") from None


def encoding_of(raw: bytes) -> str:
    """Detect UTF-16; anything else is UTF-8."""
    return _encoding_of(raw)


def _is_excel(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise NetopsError(f"{path}: damaged zip: {error}") from None


def _start_of(path: Path, compression: str) -> tuple[bytes, bool]:
    """Decompress the start of a file, and return whether it is complete."""
    chunks, size = [], 0
    try:
        with _unpacked(path, compression) as stream:
            while size <= _HEAD and (chunk := stream.read(_HEAD + 1 - size)):
                chunks.append(chunk)
                size += len(chunk)
    except (
        OSError,
        EOFError,
        pa.ArrowInvalid,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        if not chunks:
            raise NetopsError(f"{path}: cannot be read: {_line(error)}") from None
    except Exception as error:  # noqa: BLE001 lzma and zlib raise their own errors
        if not chunks:
            raise NetopsError(f"{path}: cannot be read: {_line(error)}") from None
    raw = b"".join(chunks)
    return raw[:_HEAD], len(raw) <= _HEAD


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _unpacked(path: Path, compression: str) -> ByteStream:
    if compression in ("gzip", "bz2", "zstd", "lz4"):
        return pa.CompressedInputStream(pa.OSFile(str(path), "rb"), compression)
    if compression == "xz":
        return lzma.open(path, "rb")
    if compression == "zip":
        return _member(path)
    return pa.OSFile(str(path), "rb")


def _member(path: Path) -> ByteStream:
    archive = zipfile.ZipFile(path)
    members = [info for info in archive.infolist() if not info.is_dir() and not _is_rubbish(info.filename)]
    if len(members) != 1:
        named = ", ".join(info.filename for info in members[:5])
        raise NetopsError(
            f"{path}: contains {len(members)} files{': ' if named else ''}{named}; unpack it, or keep one in it"
        )
    try:
        return archive.open(members[0])
    except RuntimeError as error:  # encrypted
        raise NetopsError(f"{path}: cannot be read: {_line(error)}") from None


def _is_rubbish(name: str) -> bool:
    return name.startswith("__MACOSX/") or name.rsplit("/", 1)[-1].startswith(".")


def _as_arrow(stream: ByteStream) -> pa.NativeFile:
    return stream if isinstance(stream, pa.NativeFile) else pa.PythonFile(stream, mode="r")


def _encoding_of(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    evens, odds = raw[:2000:2].count(0), raw[1:2000:2].count(0)
    if max(evens, odds) > 0.3 * len(raw[:2000:2]):
        return "utf-16-le" if odds > evens else "utf-16-be"
    return "utf-8"


def _decoded(path: Path, raw: bytes, encoding: str, whole: bool, option: str) -> str:
    try:
        decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    except LookupError:
        raise NetopsError(f"{path}: unknown encoding '{encoding}' ({option})") from None
    try:
        text = decoder.decode(raw, final=whole)
    except UnicodeDecodeError as error:
        if encoding == "utf-8":
            raise not_utf8(path, raw, error.start, option) from None
        raise NetopsError(f"{path}: not {encoding}: {error.reason} ({option})") from None
    if "\x00" in text[:4096] or _is_binary(text):
        raise NetopsError(
            f"{path}: neither text nor a Parquet, Arrow or Excel file; netops reads CSV, JSON and those"
        )
    return text


def _is_binary(text: str) -> bool:
    start = text[:4096]
    return sum(char < " " and char not in "\t\r\n\f" for char in start) > 0.05 * len(start)


def not_utf8(path: Path, raw: bytes, index: int, option: str = "telemetry.encoding") -> NetopsError:
    """Create the error for text that is not UTF-8; it names the line and the likely encoding."""
    line = raw.count(b"\n", 0, index) + 1
    sign = raw[index : index + 1]
    likely = "cp1252"
    shown = sign.decode(likely, "replace")
    if sum(byte < 32 and byte not in b"\t\r\n\f" for byte in raw[:4096]) > 0.02 * len(raw[:4096]):
        return NetopsError(
            f"{path}: neither text nor a Parquet, Arrow or Excel file; netops reads CSV, JSON and those"
        )
    return NetopsError(
        f"{path}: line {line}: not UTF-8 (byte 0x{sign.hex()}, '{shown}' in {likely}); "
        f"if it is Latin-1 or {likely}, use --set {option}={likely}"
    )


class _Readable(io.RawIOBase):
    """The methods of a stream that Python's text layer requires."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
