"""The pages, and who is looking at them.

GET / /command ...  the pages' files, see static.py
GET /me             {"id": "gw-000123", "demo": false} or 401
GET /login-stub     only in a demo: sets the cookie for any id; a real login belongs to the grid app (津治通)
"""

import time

from aiohttp import web

from connectors.gateway import token as tokens
from connectors.gateway.app import COOKIE, Gate
from connectors.gateway.static import Static

DEMO_HOURS = 12


class Pages:
    """Adds the pages of `gate` to its app. `demo` opens the login without a password."""

    def __init__(self, gate: Gate, secret: bytes, demo: bool) -> None:
        self._gate = gate
        self._secret = secret
        self._demo = demo

    def add(self, app: web.Application) -> None:
        """The routes of the module."""
        Static().add(app)
        app.router.add_get("/me", self._me)
        if self._demo:
            app.router.add_get("/login-stub", self._login)

    async def _me(self, request: web.Request) -> web.Response:
        subject = self._gate.subject(request)
        return web.json_response({"id": subject, "demo": self._demo}, status=200 if subject else 401)

    async def _login(self, request: web.Request) -> web.Response:
        subject = request.query.get("id")
        if subject is None:
            return web.Response(status=303, headers={"Location": "/"})  # the page asks for the id
        if not tokens.ADDRESSEE.fullmatch(subject):
            raise web.HTTPBadRequest(text="id is gw- and 6 digits, or desk- and 2, 6 or 9 digits")
        response = web.Response(status=303, headers={"Location": "/"})
        seconds = DEMO_HOURS * 3600
        response.set_cookie(
            COOKIE,
            tokens.sign(self._secret, subject, int(time.time()) + seconds),
            max_age=seconds,
            httponly=True,
            samesite="Strict",
            secure=request.secure,
        )
        return response
