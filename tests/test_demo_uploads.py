"""What visitors may name as a file: what they uploaded, and no address."""

import json

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ocr.demo.uploads import UploadsOnly


@pytest.fixture(scope="module")
def client():
    async def length(request: Request) -> JSONResponse:
        return JSONResponse(len(await request.body()))

    routes = [Route("/{path:path}", length, methods=["GET", "POST"])]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(UploadsOnly)]))


def refused(answer):
    return answer.status_code in (403, 422) and "no address is fetched" in answer.text


@pytest.mark.parametrize(
    "address", ["http://host/x.png", "HTTPS://host", " ftp://host/x", "file:///etc/passwd"]
)
def test_addresses_are_refused_wherever_they_stand(client, address):
    for data in (
        {"path": address},
        {"data": [1, {"path": address, "meta": {"_type": "gradio.FileData"}}]},
        {"data": [[{"path": "/tmp/x.png"}, {"value": {"path": address}}]]},
    ):
        assert refused(client.post("/call/read", json=data))
        spelt = json.dumps(data).replace("/", "\\u002f").encode("utf-16")
        assert refused(client.post("/call/read", content=spelt))
    twice = f'{{"path": "{address}", "path": "/tmp/x.png"}}'
    assert refused(client.post("/call/read", content=twice))
    for before in ("/gradio_api/file=", "/gradio_api/file/"):
        assert refused(client.get(before + address))


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b'{"path": "\xff"}'])
def test_what_cannot_be_looked_through_is_refused(client, content):
    assert client.post("/call/read", content=content).status_code == 422


def test_all_else_passes_as_it_is(client):
    for data in (
        {"path": "/tmp/gradio/x.png", "url": "http://127.0.0.1:7860/gradio_api/file=/tmp/x.png"},
        {"data": [{"path": "C:/Temp/x.png"}, {"path": None}, None, "http://host is a text"]},
        {"text": "x" * 300_000},
    ):
        body = json.dumps(data).encode()
        assert client.post("/call/read", content=body).json() == len(body)
    assert client.post("/cancel").json() == 0
    assert client.get("/gradio_api/file=/tmp/gradio/x.png").json() == 0
    assert client.get("/gradio_api/file=C:/Temp/x.png").json() == 0
    form = client.post("/upload", files={"files": ("http://host", b'{"path": "http://host"}')})
    assert form.json() > 23
