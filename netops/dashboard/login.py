"""The login form, if a token is required."""

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import URLEncodedBody
from litestar.response import Redirect

from netops.dashboard.access import COOKIE, is_token, key_of
from netops.dashboard.pages import page
from netops.serving.http.framework import Handlers, Received

HTML = "text/html; charset=utf-8"


def login(token: str | None) -> Handlers:
    """Create the handlers of the login form and of the health check."""

    @get("/login", opt={"open": True})
    async def form() -> Response[str]:
        """Return the login form."""
        return Response(page("login.html", wrong=False), media_type=HTML)

    @post("/login", opt={"open": True}, status_code=303)
    async def log_in(request: Received, data: URLEncodedBody[dict[str, str]]) -> Response[str] | Redirect:
        """Check the token and set the cookie."""
        if token and not is_token(token, data.get("token", "").strip()):
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
        """Return the health of the dashboard."""
        return {"status": "ok"}

    return [form, log_in, healthz]
