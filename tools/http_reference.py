"""The reference of the HTTP server, written from the OpenAPI description of its endpoints.

python -m tools.http_reference > docs/reference/http.md
"""

from collections.abc import Iterator
from typing import Any

from netops.serving.http.openapi import describe
from netops.serving.requests.registry import ENDPOINTS

HEAD = """# HTTP

Written from the code by `python -m tools.http_reference > docs/reference/http.md`; a test compares them.

What `netops serve` answers, and the same graph on Nuclio. Elsewhere than on this machine's own address every
request but `/healthz` and `/readyz` carries `Authorization: Bearer <token>`. A running server describes itself
at `/schema/openapi.json`. See [serving](../serving.md) for how to send telemetry.

| request | what it does |
|---|---|
"""


def reference() -> str:
    """Write the reference as Markdown."""
    described = describe([endpoint for endpoint in ENDPOINTS if endpoint.is_http], with_token=True)
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    rows = "".join(f"| [`{name}`](#{_anchor(name)}) | {_summary(each)} |\n" for name, each in operations)
    chapters = [line for name, operation in operations for line in _operation(name, operation)]
    schemas = [
        line for name, schema in described["components"]["schemas"].items() for line in _schema(name, schema)
    ]
    return "\n".join([HEAD + rows, *chapters, "## Objects", "", *schemas])


def _operation(name: str, operation: Any) -> Iterator[str]:
    yield from (f"## {name}", "", _text(operation), "")
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("| parameter | in | type | default | |", "|---|---|---|---|---|")
        for each in parameters:
            schema = each.get("schema", {})
            default = f"`{schema['default']}`" if "default" in schema else ""
            about = each.get("description") or schema.get("description") or ""
            yield f"| `{each['name']}` | {each['in']} | {_type(schema)} | {default} | {about} |"
        yield ""
    if body := (operation.get("requestBody") or {}).get("content"):
        kinds = (f"`{kind}` {_body(content['schema'])}".strip() for kind, content in body.items())
        yield from (f"Body: {', '.join(kinds)}.", "")
    answers = (f"{status} {_answer(answer)}".strip() for status, answer in operation["responses"].items())
    yield from (f"Answers: {'; '.join(answers)}.", "")


def _body(schema: Any) -> str:
    return "" if schema.get("format") == "binary" else f"({_type(schema)})"


def _answer(answer: Any) -> str:
    for content in answer.get("content", {}).values():
        return _type(content.get("schema", {}))
    return ""


def _schema(name: str, schema: Any) -> Iterator[str]:
    yield from (f"### {name}", "")
    if properties := schema.get("properties"):
        required = set(schema.get("required", []))
        yield from ("| field | type | always there |", "|---|---|---|")
        for field, kind in properties.items():
            yield f"| `{field}` | {_type(kind)} | {'yes' if field in required else ''} |"
        yield ""


def _type(schema: Any) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if kinds := schema.get("oneOf") or schema.get("anyOf"):
        return " or ".join(dict.fromkeys(_type(kind) for kind in kinds))
    if parts := schema.get("prefixItems"):
        return f"[{', '.join(_type(part) for part in parts)}]"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _text(operation: Any) -> str:
    return (operation.get("description") or operation.get("summary") or "").strip().replace("``", "`")


def _summary(operation: Any) -> str:
    return _text(operation).split("\n\n")[0].replace("\n", " ")


def _anchor(name: str) -> str:
    return "".join(c for c in name.lower().replace(" ", "-") if c.isalnum() or c in "-_")


if __name__ == "__main__":
    print(reference(), end="")
