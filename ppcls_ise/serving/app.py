"""The routes: HTTP in front of :class:`SearchService`."""
from __future__ import annotations

import asyncio
import hmac
import logging
import pathlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, File, Form, Path, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from ..errors import ISEError
from .limits import UploadGuard
from .schemas import Appended, Health, Matches, Page, Removed, errors
from .service import SearchService
from .uploads import FORMATS, RefusedError

__all__ = ["TOKEN_VARIABLE", "create_app"]

TOKEN_VARIABLE = "ISE_GALLERY_TOKEN"
PAGE = pathlib.Path(__file__).with_name("page.html")
# The page is one file without any other: nothing may be loaded from elsewhere, even if a name in a gallery tried.
PAGE_POLICY = ("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' blob:; "
               "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
logger = logging.getLogger("uvicorn.error")
Result = TypeVar("Result")

Upload = Annotated[UploadFile, File(description="a crop of a person: JPEG, PNG, WEBP or BMP")]
# Optional, but never null, which a form or a query cannot hold.
LEFT_OUT: Any = None
Cameras = Annotated[str, Form(max_length=1000, description="cameras between commas")]
Camera = Annotated[str, Query(max_length=100)]
Number = Annotated[int, Path(ge=0, lt=2**63)]
Identity = Annotated[int, Form(ge=-(2**31), lt=2**31)]
CameraName = Annotated[str, Form(max_length=100, description="a number or a name; empty: not known")]
NUMBERS = ("k", "threshold", "pid", "start", "count")
FIELDS = (*NUMBERS, "image", "cameras", "not_cameras", "camid", "camera")
# Of every request with a body; the guard answers before the route sees it.
BODY = (400, 408, 413, 429)
IMAGE = {"requestBody": {"content": {"multipart/form-data": {"encoding": {"image": {
    "contentType": ", ".join(f"image/{form.lower()}" for form in FORMATS)}}}}}}
JPEG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
          "description": "a JPEG file of at most 192 x 384 pixels"}}
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def create_app(service: SearchService, token: str | None = None, return_k: int = 10) -> FastAPI:
    """The application.

    Args:
        service: what it serves.
        token: with which images may be appended and deleted; None: not at all.
        return_k: matches of a search that names no number.
    """
    app = FastAPI(title="Person search", version="1", description="Search a gallery of person crops by a crop. Errors "
                  'are JSON, {"error": "one sentence"}.', generate_unique_id_function=lambda route: route.name)
    app.add_middleware(UploadGuard, limits=service.limits)
    _answer_errors(app)
    pool = ThreadPoolExecutor(service.limits.threads, "search")

    async def work(function: Callable[..., Result], *args: object) -> Result:
        """In a worker thread; what has not begun in time is not begun at all."""
        future = asyncio.get_running_loop().run_in_executor(pool, function, *args)
        try:
            return await asyncio.wait_for(future, service.limits.answer_seconds)
        except asyncio.TimeoutError:
            raise RefusedError(503, f"no answer within {service.limits.answer_seconds:g} seconds") from None

    def authorised(credentials: Credentials) -> None:
        if credentials is None:
            raise RefusedError(401, "the header Authorization: Bearer TOKEN is missing")
        if not token:
            raise RefusedError(403, f"this gallery cannot be changed here: the server has no {TOKEN_VARIABLE}")
        if not hmac.compare_digest(credentials.credentials.encode(), token.encode()):
            raise RefusedError(401, "the token of the header Authorization is wrong")

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE.read_text(encoding="utf-8"), headers={"Content-Security-Policy": PAGE_POLICY})

    @app.get("/health", summary="What is served", response_model=None, responses={200: {"model": Health}, **errors()})
    async def health() -> dict[str, Any]:
        return await work(service.health)

    @app.post("/search", summary="The most similar images of the gallery", dependencies=[Depends(_form_once)],
              response_model=None, responses={200: {"model": Matches}, **errors(*BODY, 415, 422)}, openapi_extra=IMAGE)
    async def search(image: Upload, k: Annotated[int, Form(ge=1, le=200)] = return_k,
                     threshold: Annotated[float, Form(ge=-1, le=1, allow_inf_nan=False)] = -1.0,
                     cameras: Cameras = LEFT_OUT, not_cameras: Cameras = LEFT_OUT) -> dict[str, Any]:
        return await work(service.search, await image.read(), k, threshold, cameras, not_cameras)

    @app.get("/gallery", summary="Browse the gallery", dependencies=[Depends(_query_once)], response_model=None,
             responses={200: {"model": Page}, **errors(422)})
    async def browse(start: Annotated[int, Query(ge=0, lt=2**63)] = 0, count: Annotated[int, Query(ge=1, le=200)] = 30,
                     camera: Camera = LEFT_OUT) -> dict[str, Any]:
        return await work(service.page, start, count, camera)

    @app.get("/gallery/{number}/picture", summary="An image of the gallery", response_class=Response,
             responses={**JPEG, **errors(404, 422)})
    async def picture(number: Number) -> Response:
        # An id is never given to another image.
        return Response(await work(service.picture, number), media_type="image/jpeg",
                        headers={"Cache-Control": "private, max-age=86400", "X-Content-Type-Options": "nosniff"})

    @app.post("/gallery", status_code=201, summary="Append an image",
              dependencies=[Depends(authorised), Depends(_form_once)], response_model=None,
              responses={201: {"model": Appended, "links": {
                  name: {"operationId": name, "parameters": {"number": "$response.body#/id"}}
                  for name in ("picture", "remove")}}, **errors(*BODY, 401, 403, 415, 422)}, openapi_extra=IMAGE)
    async def append(image: Upload, pid: Identity = LEFT_OUT, camid: CameraName = LEFT_OUT) -> dict[str, Any]:
        return await work(service.append, await image.read(), pid, camid)

    @app.delete("/gallery/{number}", summary="Remove an image", dependencies=[Depends(authorised)],
                response_model=None, responses={200: {"model": Removed}, **errors(*BODY, 401, 403, 404, 422)})
    async def remove(number: Number) -> dict[str, Any]:
        return await work(service.remove, number)

    return app


async def _form_once(request: Request) -> None:
    _check_once((await request.form()).multi_items())  # which FastAPI has read already, behind the guard


async def _query_once(request: Request) -> None:
    _check_once(request.query_params.multi_items())


def _check_once(given: Sequence[tuple[str, object]]) -> None:
    """FastAPI takes the last of several values, and the default for an empty number: not what the client meant."""
    for name in FIELDS:
        values = [value for key, value in given if key == name]
        if len(values) > 1:
            raise RefusedError(422, f"{name} is given {len(values)} times")
        if name in NUMBERS and "" in values:
            raise RefusedError(422, f"{name} is empty; leave it out for its default")


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> JSONResponse:
        return _error(error.status, str(error), {"WWW-Authenticate": "Bearer"} if error.status == 401 else None)

    @app.exception_handler(ISEError)
    async def refused_below(request: Request, error: ISEError) -> JSONResponse:
        logger.error("%s %s: %s", request.method, request.url.path, error)  # it may name files of this machine
        return _error(503, "the gallery or its model cannot be used now; the server's log says why")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        headers = error.headers
        if error.status_code == 405:  # Starlette names the methods of the first route only
            headers = {"Allow": ", ".join(sorted(_methods(app, request.scope)))}
        return _error(error.status_code, str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return _error(422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return _error(500, "the server has failed; its log says more")


def _methods(app: FastAPI, scope: Scope) -> set[str]:
    """What a path can be asked."""
    return {method for route in app.routes if route.matches(scope)[0] is not Match.NONE
            for method in getattr(route, "methods", ())}


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)
