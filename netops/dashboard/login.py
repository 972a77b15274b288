"""The form that asks for the token, where one is needed."""

from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import URLEncodedBody
from litestar.response import Redirect

from netops.dashboard.access import COOKIE, key_of, may_enter
from netops.dashboard.pages import page

HTML = "text/html; charset=utf-8"


def login(token: str | None) -> list[Any]:
    """Make the handlers of the form, of leaving again, and of the health check."""

    @get("/login", opt={"open": True})
    async def form() -> Response[str]:
        """Ask for the token."""
        return Response(page("login.html", wrong=False), media_type=HTML)

    @post("/login", opt={"open": True}, status_code=303)
    async def enter(request: Request[Any, Any, Any], data: URLEncodedBody[dict[str, str]]) -> Response[Any]:
        """Let in who knows it."""
        if token and not may_enter(token, data.get("token", "").strip()):
            return Response(page("login.html", wrong=True), media_type=HTML, status_code=401)
        answer = Redirect("/fleet", status_code=303)
        if token:
            secure = request.url.scheme == "https"
            answer.set_cookie(
                Cookie(key=COOKIE, value=key_of(token), httponly=True, samesite="strict", secure=secure, path="/")
            )
        return answer

    @get("/healthz", opt={"open": True})
    async def healthz() -> dict[str, str]:
        """Tell that the dashboard answers."""
        return {"status": "ok"}

    return [form, enter, healthz]
