"""Who is asking: the token of a request, by `Authorization: Bearer` (programs) or by a cookie (pages), and how it is
renewed.

    POST /token     a fresh token as long as the session lasts, also for one that is over: a phone slept in a pocket.
                    By cookie the answer sets the cookie; by bearer it is {"token", ...}. Both say "expires" and
                    "session_until" (seconds since 1970), and "expires_in" (seconds) for those whose clock is wrong.

A cookie comes along whatever site the browser is on, so requests that change something must come from our own pages.
"""

import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from connectors.gateway.keys import Claim, Keys

COOKIE = "haihe_token"

_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class Given(NamedTuple):
    """The token of a request, and whether a browser sent it by itself."""

    token: str
    by_cookie: bool


def given(request: web.Request) -> Given:
    """What the request has to show; an empty token when nothing."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Given(token.strip(), False)
    return Given(request.cookies.get(COOKIE, "").strip(), True)


class Access:
    """Tells who is asking. `clock` is the wall clock, in seconds since 1970."""

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.time) -> None:
        self.keys = keys
        self.clock = clock

    def add(self, app: web.Application) -> None:
        """The route of the module."""
        app.router.add_post("/token", self._renew)

    def find(self, request: web.Request) -> Claim | None:
        """Who is asking, and until when; None when nobody we know."""
        return self.keys.verify(given(request).token, self.clock())

    def claim(self, request: web.Request) -> Claim:
        """As find. Raises HTTPUnauthorized, which says what to do about it."""
        claim = self.find(request)
        if claim is None:
            raise self._refusal(request)
        return claim

    def acting(self, request: web.Request) -> Claim:
        """As claim, for requests that change something: also raises HTTPForbidden for another site's."""
        refuse_other_sites(request)
        return self.claim(request)

    def set_cookie(self, request: web.Request, response: web.StreamResponse, token: str, claim: Claim) -> None:
        """Gives the browser `token`. The cookie stays as long as the session, since a token that is over renews it."""
        response.set_cookie(
            COOKIE,
            token,
            max_age=max(0, claim.session_until - int(self.clock())),
            httponly=True,
            samesite="Strict",
            # TLS ends in front of us. Whoever claims it without having it only loses his own cookie.
            secure=request.secure or request.headers.get("X-Forwarded-Proto") == "https",
        )

    def begin(self, subject: str) -> tuple[str, Claim]:
        """The first token of a session, and what it says. Raises UserError when `subject` is not an addressee."""
        now = self.clock()
        token = self.keys.sign(subject, now)
        claim = self.keys.verify(token, now)
        assert claim is not None, "a token that was signed now is good now"
        return token, claim

    def fresh(self, request: web.Request) -> tuple[str, Claim]:
        """A fresh token for the same session, and what it says. Raises HTTPUnauthorized when that is over."""
        now = self.clock()
        former = self.keys.renewable(given(request).token, now)
        if former is None:
            raise self._refusal(request)
        token = self.keys.sign(former.subject, now, former.session_until)
        claim = self.keys.verify(token, now)
        if claim is None:  # its session ends within this second
            raise self._refusal(request)
        return token, claim

    def times(self, claim: Claim) -> dict[str, int]:
        """What an answer says of a token's times."""
        left = max(0, claim.expires - int(self.clock()))
        return {"expires": claim.expires, "expires_in": left, "session_until": claim.session_until}

    async def _renew(self, request: web.Request) -> web.Response:
        refuse_other_sites(request)
        token, claim = self.fresh(request)
        times = self.times(claim)
        if not given(request).by_cookie:
            return web.json_response({"token": token, **times})
        response = web.json_response(times)
        self.set_cookie(request, response, token, claim)
        return response

    def _refusal(self, request: web.Request) -> web.HTTPUnauthorized:
        token = given(request).token
        if not token:
            return web.HTTPUnauthorized(text="log in, or send a token as Authorization: Bearer", headers=_CHALLENGE)
        if self.keys.renewable(token, self.clock()) is not None:
            return web.HTTPUnauthorized(text="this token is over: renew it with POST /token", headers=_INVALID)
        return web.HTTPUnauthorized(
            text="this token is not valid here, or its session is over: log in again", headers=_INVALID
        )


def refuse_other_sites(request: web.Request) -> None:
    """Raises HTTPForbidden when a browser sent its cookie along from another site's page.

    Every current browser says where a request comes from (Fetch metadata, W3C), an older one at least the origin; what
    says neither is no browser. SameSite=Strict on the cookie is the other lock of this door.
    """
    if not given(request).by_cookie or not request.cookies.get(COOKIE):
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    ours = site in ("same-origin", "none") if site else origin is None or urlsplit(origin).netloc == request.host
    if not ours:
        raise web.HTTPForbidden(text="a page of another site cannot do this with your login")
