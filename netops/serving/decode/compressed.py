"""Decompression of request bodies, up to a limit."""

import zlib

from netops.serving.decode.protobuf import varint
from netops.serving.engine.samples import BodyError

#: Content-Encoding → ``wbits`` of zlib.
_ZLIB = {"gzip": 31, "x-gzip": 31, "deflate": -15}


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Decompress a body by its ``Content-Encoding``: gzip, deflate or none.

    Parameters
    ----------
    body : bytes
    encoding : str
    limit : int
        Maximum decompressed bytes.

    Raises
    ------
    BodyError
        If the encoding is unknown, the body damaged, or the limit exceeded.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _ZLIB:
        raise BodyError(f"unknown Content-Encoding '{name[:40]}'; known: {', '.join(_ZLIB)}")
    try:
        return _inflate(body, _ZLIB[name], limit)
    except zlib.error as error:
        raise BodyError(f"not {name}: {error}") from None


def _inflate(body: bytes, wbits: int, limit: int) -> bytes:
    """Decompress; gzip may consist of several members."""
    parts, size = [], 0
    while body:
        stream = zlib.decompressobj(wbits)
        part = stream.decompress(body, limit + 1 - size)
        size += len(part)
        if size > limit:
            raise BodyError(f"the request decompresses to more than {limit} bytes", 413)
        if not stream.eof:
            raise zlib.error("it is truncated")
        parts.append(part)
        body = stream.unused_data
    return b"".join(parts)


def unsnap(body: bytes, limit: int) -> bytes:
    """Decompress raw snappy.

    Raises
    ------
    BodyError
        413 if the limit is exceeded.
    ValueError
        If it is not snappy.
    """
    import cramjam

    size, _ = varint(memoryview(body), 0)
    if size > limit:
        raise BodyError(f"the request decompresses to {size} bytes; the limit is {limit}", 413)
    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise ValueError(f"not snappy: {error}") from None
