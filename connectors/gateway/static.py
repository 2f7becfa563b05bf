"""The pages' files: plain, no build; what is in static/ is what the phone gets.

GET /                       the grid worker's page
GET /command                the command page
GET /sw.js                  the service worker, which keeps the pages' files (and nothing else) on the phone
GET /manifest.webmanifest   what the page is called and looks like once it is installed
GET /static/...             scripts, styles, icons
"""

import hashlib
import json
from importlib import resources
from pathlib import PurePath
from typing import NamedTuple

from aiohttp import ETag, web

_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_TEXT = {".html", ".js", ".css"}
_PLACES = {
    "index.html": "/",
    "command.html": "/command",
    "sw.js": "/sw.js",
    "manifest.webmanifest": "/manifest.webmanifest",
}
"""Files that have an address of their own; a service worker's address is also how far its power reaches."""


class File(NamedTuple):
    """One file as it is served."""

    body: bytes
    content_type: str
    charset: str | None
    etag: str


class Static:
    """All files of static/, read once."""

    def __init__(self) -> None:
        folder = resources.files("connectors.gateway") / "static"
        bodies = {each.name: each.read_bytes() for each in folder.iterdir() if PurePath(each.name).suffix in _TYPES}
        bodies["sw.js"] = shell(bodies) + bodies["sw.js"]
        self._files = {_PLACES.get(name, f"/static/{name}"): _file(name, body) for name, body in bodies.items()}

    def add(self, app: web.Application) -> None:
        """The routes of the module."""
        for path in _PLACES.values():
            app.router.add_get(path, self._get)
        app.router.add_get("/static/{name}", self._get)

    async def _get(self, request: web.Request) -> web.Response:
        # Looked up, never opened: no name a client sends becomes a path.
        file = self._files.get(request.path)
        if file is None:
            raise web.HTTPNotFound(text="no such file")
        known = request.if_none_match or ()
        if any(tag.value in (file.etag, "*") for tag in known):
            response = web.Response(status=304)
        else:
            response = web.Response(body=file.body, content_type=file.content_type, charset=file.charset)
        response.etag = ETag(file.etag)
        response.headers["Cache-Control"] = "no-cache"  # kept, but never used without asking
        return response


def shell(bodies: dict[str, bytes]) -> bytes:
    """What the service worker must know, as its first line: the addresses of the pages' files, and a version that
    changes with any of them, itself included."""
    digest = hashlib.sha256()
    for name in sorted(bodies):
        digest.update(b"%b %d\n%b" % (name.encode(), len(bodies[name]), bodies[name]))
    paths = sorted(_PLACES.get(name, f"/static/{name}") for name in bodies if name != "sw.js")
    return f"const SHELL = {json.dumps({'version': digest.hexdigest()[:16], 'paths': paths})};\n".encode()


def _file(name: str, body: bytes) -> File:
    suffix = PurePath(name).suffix
    etag = hashlib.sha256(body).hexdigest()[:32]
    return File(body, _TYPES[suffix], "utf-8" if suffix in _TEXT else None, etag)
