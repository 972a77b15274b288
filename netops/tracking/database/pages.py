"""Pagination of lists: a token represents the filters of the list and the next page."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import mlrun
import mlrun.errors

_MAX_TOKENS = 1000


class Pages:
    """The paginated lists of MLRun's run database interface."""

    list_runs: Callable[..., Any]
    list_artifacts: Callable[..., Any]
    list_functions: Callable[..., Any]

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, tuple[dict[str, Any], int, int]] = OrderedDict()
        self._tokens_lock = threading.Lock()

    def paginated_list_runs(self, *args: Any, **kwargs: Any) -> tuple[Any, str | None]:
        """List runs, a page at a time: ``page``, ``page_size``, ``page_token``."""
        return self._page_of(self.list_runs, args, kwargs)

    def paginated_list_artifacts(self, *args: Any, **kwargs: Any) -> tuple[Any, str | None]:
        """List artifacts, a page at a time: ``page``, ``page_size``, ``page_token``."""
        return self._page_of(self.list_artifacts, args, kwargs)

    def paginated_list_functions(self, *args: Any, **kwargs: Any) -> tuple[Any, str | None]:
        """List functions, a page at a time: ``page``, ``page_size``, ``page_token``."""
        return self._page_of(self.list_functions, args, kwargs)

    def _page_of(
        self, list_all: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, str | None]:
        page, size, token = (kwargs.pop(name, None) for name in ("page", "page_size", "page_token"))
        if token:
            with self._tokens_lock:
                saved = self._tokens.pop(token, None)
            if saved is None:
                raise mlrun.errors.MLRunNotFoundError(f"page token {token} is not known (any more)")
            kwargs, next_page, saved_size = saved
            page, size = page or next_page, size or saved_size
        page, size = int(page or 1), int(size or mlrun.mlconf.httpdb.pagination.default_page_size)
        everything = list_all(*args, **kwargs)
        rows = type(everything)(everything[(page - 1) * size : page * size])
        if page * size >= len(everything):
            return rows, None
        return rows, self._keep(kwargs, page + 1, size)

    def _keep(self, kwargs: dict[str, Any], page: int, size: int) -> str:
        token = uuid.uuid4().hex
        with self._tokens_lock:
            self._tokens[token] = (kwargs, page, size)
            while len(self._tokens) > _MAX_TOKENS:
                self._tokens.popitem(last=False)
        return token
