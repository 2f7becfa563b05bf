"""The pages, who is looking at them, and the login that only a demo has.

GET / /command ...  the pages' files, see static.py
GET /me             {"id": "gw-000123", "demo": false, "divisions": null, "expires": s, ...} or 401
GET /login-stub     only in a demo: sets the cookie for any id; a real login belongs to the grid app (津治通)

`divisions` is the code of the division that a desk looks after, null for a grid worker; the times are those of
POST /token.
"""

from aiohttp import web

from connectors.gateway.access import Access, given
from connectors.gateway.keys import ADDRESSEE, IS_ADDRESSEE, Claim
from connectors.gateway.static import Static

_DESK = "desk-"


def division_of(subject: str) -> str | None:
    """The code of the division that a desk looks after; None for a grid worker."""
    return subject.removeprefix(_DESK) if subject.startswith(_DESK) else None


class Pages:
    """Adds the pages to an app. `demo` opens the login without a password."""

    def __init__(self, access: Access, demo: bool) -> None:
        self._access = access
        self._demo = demo

    def add(self, app: web.Application) -> None:
        """The routes of the module."""
        Static().add(app)
        app.router.add_get("/me", self._me)
        if self._demo:
            app.router.add_get("/login-stub", self._login_stub)

    async def _me(self, request: web.Request) -> web.Response:
        claim = self._access.find(request)
        if claim is not None:
            return web.json_response(self._said(claim))
        if not given(request).by_cookie:
            return self._nobody()
        try:
            # A page that wakes up asks this first: its token may be over while its session is not.
            token, claim = self._access.fresh(request)
        except web.HTTPUnauthorized:
            return self._nobody()
        response = web.json_response(self._said(claim))
        self._access.set_cookie(request, response, token, claim)
        return response

    def _said(self, claim: Claim) -> dict[str, object]:
        who = {"id": claim.subject, "demo": self._demo, "divisions": division_of(claim.subject)}
        return {**who, **self._access.times(claim)}

    def _nobody(self) -> web.Response:
        nobody = {"id": None, "demo": self._demo, "divisions": None, "expires": None}
        return web.json_response(nobody, status=401, headers={"WWW-Authenticate": "Bearer"})

    async def _login_stub(self, request: web.Request) -> web.Response:
        subject = request.query.get("id")
        if subject is None:
            return web.Response(status=303, headers={"Location": "/"})  # the page asks for the id
        if not ADDRESSEE.fullmatch(subject):
            raise web.HTTPBadRequest(text=f"id is {IS_ADDRESSEE}")
        token, claim = self._access.begin(subject)
        response = web.Response(status=303, headers={"Location": "/"})
        self._access.set_cookie(request, response, token, claim)
        return response
