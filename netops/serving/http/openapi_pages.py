"""The OpenAPI description over HTTP: as JSON and YAML, and as a page for browsers."""

from collections.abc import Sequence

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, RedocRenderPlugin, YamlRenderPlugin

from netops.serving.http.framework import Received
from netops.serving.http.openapi import describe
from netops.serving.requests.endpoint import Endpoint


def description_pages(endpoints: Sequence[Endpoint], with_token: bool) -> list[HTTPRouteHandler]:
    """Create the handlers of ``/schema``."""
    document = describe(endpoints, with_token)
    plugins: list[tuple[str, OpenAPIRenderPlugin]] = [
        ("", RedocRenderPlugin()),
        ("/redoc", RedocRenderPlugin()),
        ("/openapi.json", JsonRenderPlugin()),
        ("/openapi.yaml", YamlRenderPlugin()),
        ("/openapi.yml", YamlRenderPlugin()),
    ]

    def page(path: str, plugin: OpenAPIRenderPlugin) -> HTTPRouteHandler:
        @get(f"/schema{path}")
        async def render(request: Received) -> Response[bytes]:
            return Response(plugin.render(request, document), media_type=plugin.media_type)

        return render

    return [page(path, plugin) for path, plugin in plugins]
