"""The page's server: a Starlette app around one loaded bundle; keeps and logs nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from skinbench.bundle.images import ReadImage
from skinbench.errors import UsageError
from skinbench.serve.answers import Answer, Answerer, answer_json
from skinbench.serve.guards import Access, Guard, problem
from skinbench.serve.openapi import openapi_document
from skinbench.serve.pages import asset, model_page
from skinbench.serve.sheet import sheet_pdf
from skinbench.serve.uploads import Refused, Upload, decode_upload, read_upload
from skinbench.store import to_plain

UPLOADS = 8
"""Requests whose bodies are in memory at a time; others wait their turn."""


@dataclass(kw_only=True)
class _Desk:
    """What answers requests, one at a time: memory stays flat, threads are not shared."""

    answerer: Answerer
    uploads: anyio.Semaphore
    answers: anyio.CapacityLimiter
    sheets: anyio.CapacityLimiter

    async def take(self, request: Request) -> tuple[Upload, Answer]:
        """Read and answer one upload."""
        async with self.uploads:
            upload = await read_upload(request, self.answerer.model.fields)
            work = partial(_answer, self.answerer, upload)
            answer = await anyio.to_thread.run_sync(work, limiter=self.answers)
        return upload, answer


def _answer(answerer: Answerer, upload: Upload) -> Answer:
    read: ReadImage = decode_upload(upload.data)
    try:
        return answerer.answer(upload.data, read, upload.said)
    except UsageError as error:
        raise Refused(422, "bad_field", str(error)) from error


def make_app(answerer: Answerer, access: Access) -> ASGIApp:
    """The app for one bundle.

    Args:
        answerer: the loaded bundle.
        access: who may ask.
    """
    desk = _Desk(
        answerer=answerer,
        uploads=anyio.Semaphore(UPLOADS),
        answers=anyio.CapacityLimiter(1),
        sheets=anyio.CapacityLimiter(1),
    )
    routes = [
        Route("/", _fixed(lambda: HTMLResponse(model_page(answerer)))),
        Route("/page.css", _fixed(lambda: Response(asset("page.css"), media_type="text/css"))),
        Route("/page.js", _fixed(lambda: Response(asset("page.js"), media_type=_SCRIPT))),
        Route("/openapi.json", _fixed(lambda: JSONResponse(openapi_document(answerer)))),
        Route("/bundle.json", _fixed(lambda: JSONResponse(to_plain(answerer.bundle)))),
        Route("/card", _fixed(lambda: PlainTextResponse(answerer.model.opened.card))),
        Route("/predict", _predict(desk), methods=["POST"]),
        Route("/sheet", _sheet(desk), methods=["POST"]),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            Refused: _refused,
            HTTPException: _http_problem,
            Exception: _failed,
        },
    )
    return Guard(app, access)


_SCRIPT = "text/javascript"
Endpoint = Callable[[Request], Awaitable[Response]]


def _fixed(make: Callable[[], Response]) -> Endpoint:
    """Answers that depend on the bundle alone: made once."""
    made: list[Response] = []

    async def endpoint(_request: Request) -> Response:
        if not made:
            made.append(make())
        return made[0]

    return endpoint


def _predict(desk: _Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        _, answer = await desk.take(request)
        return JSONResponse(answer_json(answer, desk.answerer))

    return endpoint


def _sheet(desk: _Desk) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        upload, answer = await desk.take(request)
        work = partial(sheet_pdf, answer, desk.answerer, upload.name)
        pdf = await anyio.to_thread.run_sync(work, limiter=desk.sheets)
        name = f"model-response-{answer.digest[:8]}.pdf"
        return Response(
            pdf,
            media_type="application/pdf",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    return endpoint


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(error.status, error.code, error.message)


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return problem(404, "not_found", "there is no such page; see /openapi.json")
    if error.status_code == 405:
        return problem(405, "wrong_method", f"not by {request.method}; see /openapi.json")
    return problem(error.status_code, "refused", str(error.detail))


async def _failed(_request: Request, _error: Exception) -> Response:
    """Nothing of what went wrong leaves: it could hold parts of an upload."""
    return problem(500, "failed", "the image could not be answered; nothing of it was kept")
