"""JSON posted to a receiver's address; the status of its answer decides whether to retry."""

import email.utils
from datetime import UTC, datetime

import msgspec

from netops.http_client import BadAddressError, UnreachableError, client, post
from netops.serving.alerts.receivers.protocol import TIMEOUT, FailedError, RefusedError

#: Maximum pause that a receiver may request.
MAX_RETRY_AFTER = 3600.0
_TOO_MANY, _UNAVAILABLE = 429, 503
_RETRIED = (408, _TOO_MANY)
_EXCERPT = 300


class Poster:
    """Posts JSON to one address and maps the response status to errors."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = client(TIMEOUT, follow_redirects=False)

    def post(self, value: object) -> None:
        """Post a value.

        Raises
        ------
        RefusedError, FailedError
            If it was not accepted.
        """
        try:
            answer = post(self._client, self._url, msgspec.json.encode(value), TIMEOUT)
        except BadAddressError as error:
            raise RefusedError(str(error)) from None
        except UnreachableError as error:
            raise FailedError(str(error)) from None
        if 200 <= answer.status < 300:
            return
        status = answer.status
        message = f"{status} {answer.text[:_EXCERPT]}".strip()
        if 300 <= status < 400:
            raise RefusedError(f"{message} (redirect to {answer.headers.get('location', '?')[:200]}, not followed)")
        if 400 <= status < 500 and status not in _RETRIED:
            raise RefusedError(message)
        wait = retry_after(answer.headers.get("retry-after"))
        raise FailedError(message, wait, down=wait is not None or status in (_TOO_MANY, _UNAVAILABLE))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def retry_after(value: str | None) -> float | None:
    """Parse ``Retry-After``: seconds, or an HTTP date (RFC 9110, 10.2.3); return seconds, or None."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER) if seconds == seconds else None
