"""Pagination of lists: a token represents the filters of the list and the next page."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable

import mlrun
import mlrun.errors

from netops.tracking.database.documents import Document

_MAX_TOKENS = 1000


class Pages:
    """The paginated lists of MLRun's run database interface."""

    list_runs: Callable[..., list[Document]]
    list_artifacts: Callable[..., list[Document]]
    list_functions: Callable[..., list[Document]]

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, tuple[dict[str, object], int, int]] = OrderedDict()
        self._tokens_lock = threading.Lock()

    def paginated_list_runs(self, *args: object, **kwargs: object) -> tuple[list[Document], str | None]:
        """List runs, a page at a time: ``page``, ``page_size``, ``page_token``."""
        return self._page_of(self.list_runs, args, kwargs)

    def paginated_list_artifacts(self, *args: object, **kwargs: object) -> tuple[list[Document], str | None]:
        """List artifacts, a page at a time: ``page``, ``page_size``, ``page_token``."""
        return self._page_of(self.list_artifacts, args, kwargs)

    def paginated_list_functions(self, *args: object, **kwargs: object) -> tuple[list[Document], str | None]:
        """List functions, a page at a time: ``page``, ``page_size``, ``page_token``."""
        return self._page_of(self.list_functions, args, kwargs)

    def _page_of(
        self, list_all: Callable[..., list[Document]], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> tuple[list[Document], str | None]:
        page, size = _number(kwargs.pop("page", None)), _number(kwargs.pop("page_size", None))
        if token := kwargs.pop("page_token", None):
            with self._tokens_lock:
                saved = self._tokens.pop(str(token), None)
            if saved is None:
                raise mlrun.errors.MLRunNotFoundError(f"page token {token} is not known (any more)")
            kwargs, next_page, saved_size = saved
            page, size = page or next_page, size or saved_size
        page, size = page or 1, size or int(mlrun.mlconf.httpdb.pagination.default_page_size)
        everything = list_all(*args, **kwargs)
        rows = type(everything)(everything[(page - 1) * size : page * size])
        if page * size >= len(everything):
            return rows, None
        return rows, self._keep(kwargs, page + 1, size)

    def _keep(self, kwargs: dict[str, object], page: int, size: int) -> str:
        token = uuid.uuid4().hex
        with self._tokens_lock:
            self._tokens[token] = (kwargs, page, size)
            while len(self._tokens) > _MAX_TOKENS:
                self._tokens.popitem(last=False)
        return token


def _number(value: object) -> int:
    """Read a page or its size; 0 where none is given."""
    return int(str(value or 0))
