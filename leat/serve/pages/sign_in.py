"""Sign-in and sign-out: at the identity provider, or by a one-time link where there is none."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse, Response

from leat.runs import signing_in
from leat.runs.signing_in import SignInFailed
from leat.runs.workspace import Workspace
from leat.serve.limits import Buckets
from leat.serve.pages.form import AsForm
from leat.serve.pages.render import ASSETS, HEADERS, asset_names, page
from leat.serve.pages.route import PublicRoute
from leat.serve.problem import Problem
from leat.serve.session import (
    COOKIES,
    cookie_name,
    cookie_of,
    is_here,
    is_secure,
    of_own_pages,
    session_id_of,
    set_session,
    url_of,
)
from leat.sources.errors import NotConfigured

router = APIRouter(route_class=PublicRoute, include_in_schema=False)
_BEGUN = "leat_sign_in"
_YEAR = 31_536_000
_OTHERS = {"cache-control": f"public, max-age={_YEAR}, immutable"}


@router.get("/assets/{digest}/{name}")
def read_asset(digest: str, name: str) -> Response:
    """Return a style sheet or script; its address changes with its content."""
    if asset_names().get(name) != f"/assets/{digest}/{name}":
        raise Problem(404, "no-such-asset", "there is no such file", "load the page again")
    return FileResponse(ASSETS / name, headers=_OTHERS)


@router.get("/sign-in")
def show_sign_in(request: Request, return_to: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """Show how to sign in."""
    declared = _workspace(request).security.sign_in
    return page(request, "sign_in.html", by_provider=declared is not None, return_to=return_to, problem=None)


@router.get("/sign-in/begin")
def begin(request: Request, return_to: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """Send the browser to the identity provider, unless a page of another site asks for it: people begin a session."""
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return RedirectResponse("/sign-in", 303, HEADERS)
    workspace = _workspace(request)
    try:
        provider = signing_in.provider_of(workspace)
        if provider is None:
            return RedirectResponse("/sign-in", 303, HEADERS)
        begun = signing_in.begin(workspace, provider, url_of(request), return_to)
    except (SignInFailed, NotConfigured) as error:
        return _failed(request, str(error), return_to)
    response = RedirectResponse(begun.url, 303, HEADERS)
    name, secure = cookie_name(request, _BEGUN), is_secure(request)
    response.set_cookie(name, begun.cookie, 600, path="/", httponly=True, secure=secure, samesite="lax")
    return response


@router.get(signing_in.FINISH)
def finish(request: Request) -> Response:
    """Take what the identity provider sends back."""
    _refuse_too_many(request)
    workspace = _workspace(request)
    replaces, cookie = session_id_of(request), cookie_of(request, _BEGUN)
    try:
        provider = signing_in.provider_of(workspace)
        if provider is None:
            return RedirectResponse("/sign-in", 303, HEADERS)
        done = signing_in.finish(workspace, provider, cookie, dict(request.query_params), replaces)
    except (SignInFailed, NotConfigured) as error:
        _count_failure(request)
        return _failed(request, str(error), "/")
    response = RedirectResponse(done.return_to, 303, HEADERS)
    response.delete_cookie(cookie_name(request, _BEGUN), path="/", secure=is_secure(request), httponly=True)
    return _with_session(request, response, done.session_id)


@router.get("/sign-in/link")
def show_link(request: Request, secret: Annotated[str, Query(max_length=200)] = "") -> Response:
    """Ask whether to use a link: programs that look at links, such as mail scanners, don't press buttons."""
    return page(request, "sign_in_link.html", secret=secret)


@router.post("/sign-in/link")
def use_link(request: Request, form: AsForm) -> Response:
    """Sign in by a link."""
    _refuse_other_sites(request)
    _refuse_too_many(request)
    if not is_here(request):
        return _failed(request, "A link works only at the address of the machine itself, such as 127.0.0.1.", "/")
    session_id = signing_in.redeem(_workspace(request), form.get("secret", ""), session_id_of(request))
    if session_id is None:
        _count_failure(request)
        text = "This link was used before, or is older than ten minutes. `leat serve --link` prints a new one."
        return _failed(request, text, "/")
    return _with_session(request, RedirectResponse("/", 303, HEADERS), session_id)


@router.post("/sign-out")
def sign_out(request: Request) -> Response:
    """End the session."""
    _refuse_other_sites(request)
    workspace, session_id = _workspace(request), session_id_of(request)
    elsewhere = None
    if session_id is not None:
        try:
            provider = signing_in.provider_of(workspace)
        except (SignInFailed, NotConfigured):
            provider = None  # the session here ends all the same
        elsewhere = signing_in.sign_out(workspace, provider, session_id, f"{url_of(request)}/sign-in")
    response = page(request, "signed_out.html", elsewhere=elsewhere)
    for name in COOKIES:
        response.delete_cookie(name, path="/", secure=name.startswith("__Host-"), httponly=True)
    response.headers["clear-site-data"] = '"cache", "storage"'  # pages that the browser has stored, on a shared machine
    return response


@router.post("/sign-in/logout")
def sign_out_by_provider(request: Request, form: AsForm) -> Response:
    """End sessions that the identity provider has ended: OpenID Connect Back-Channel Logout."""
    _refuse_too_many(request)
    workspace = _workspace(request)
    try:
        provider = signing_in.provider_of(workspace)
        if provider is None:
            raise Problem(404, "no-provider", "no identity provider is declared")
        signing_in.accept_logout(workspace, provider, form.get("logout_token", ""))
    except (ValueError, SignInFailed, NotConfigured) as error:
        _count_failure(request)
        return JSONResponse({"error": "invalid_request", "error_description": str(error)}, 400)
    return Response(status_code=200)


def _failed(request: Request, text: str, return_to: str) -> Response:
    by_provider = _workspace(request).security.sign_in is not None
    return page(request, "sign_in.html", 403, by_provider=by_provider, return_to=return_to, problem=text)


def _with_session(request: Request, response: Response, session_id: str) -> Response:
    set_session(request, response, session_id)
    return response


def _refuse_other_sites(request: Request) -> None:
    if not of_own_pages(request):
        raise Problem(403, "cross-site", "a page of another site sent this request", "use the page of leat")


def _refuse_too_many(request: Request) -> None:
    buckets: Buckets = request.app.state.buckets
    if not buckets.may_sign_in(_address(request)):
        raise Problem(
            429, "too-many-failures", "too many sign-ins failed", "wait a minute", headers={"retry-after": "60"}
        )


def _count_failure(request: Request) -> None:
    buckets: Buckets = request.app.state.buckets
    buckets.failed(_address(request))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _workspace(request: Request) -> Workspace:
    workspace: Workspace = request.app.state.current.workspace()
    return workspace
