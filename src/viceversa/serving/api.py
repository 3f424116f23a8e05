"""The HTTP API."""

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from viceversa.serving.pictures import MEDIA_TYPES, SUFFIXES
from viceversa.serving.problems import Problem, file_too_large
from viceversa.serving.reference import address_of, prefix_of, reference_page
from viceversa.serving.service import Service
from viceversa.sizes import SizePx

_CODES = {404: "not_found", 405: "not_allowed"}
_NOT_KEPT = {"Cache-Control": "no-store"}  # what is made by the headers of one is not for others
_NOTE = "Viceversa-Note"
_FILE = {"type": "string", "format": "binary", "description": "The image's file."}


class Options(BaseModel):
    """What can be asked of a translation; in the query or in the form."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="Name of the model; may be left out where there is but one.")
    to: str | None = Field(None, description="Domain to translate to: a, b, or its name. Left out: b, or the only one.")
    format: Literal["png", "jpg", "jpeg", "webp", "avif", "tif"] | None = Field(
        None, description="Kind of file of the answer. Left out: that of the image, or png."
    )
    quality: int = Field(95, ge=1, le=100, description="Of lossy kinds.")


class Reason(BaseModel):
    """Why a request was refused."""

    code: str = Field(description="For programs: too_large, no_picture, busy ...")
    message: str = Field(description="For people, in a sentence.")


class Refusal(BaseModel):
    """The answer to a request that was refused."""

    error: Reason


class Direction(BaseModel):
    """A direction that a model translates in."""

    to: str = Field(description="What to must be: a or b.")
    source: str = Field(description="Name of the domain of the images that it takes.")
    target: str = Field(description="Name of the domain of those that it makes; to can be that too.")


class Described(BaseModel):
    """A model that is served."""

    name: str
    size_px: SizePx = Field(
        description="Side of the images that it was trained on, or their height and width; it takes any size."
    )
    directions: list[Direction]


class Listing(BaseModel):
    """All models that are served."""

    models: list[Described]


class Health(BaseModel):
    """That the server takes requests."""

    status: Literal["ok"] = "ok"


def _refusals(**texts: str) -> dict[int | str, dict[str, Any]]:
    return {int(status[1:]): {"model": Refusal, "description": text} for status, text in texts.items()}


_AT_THE_DOOR = {"_401": "The key is missing or wrong.", "_403": "The server is not called so."}
_REFUSED = _refusals(
    **_AT_THE_DOOR,
    _408="The file came too slowly.",
    _413="The file is too large, or the image has too many pixels.",
    _415="It is no image.",
    _422="A parameter is wrong, or the image is damaged or does not fit the model.",
    _429="Too many requests wait already; Retry-After says when to try again.",
    _503="It took too long, or the server is being stopped.",
)
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The image's file: bare, or as the field file of a form that may have the parameters too.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": _FILE, **Options.model_json_schema()["properties"]},
                }
            },
            "application/octet-stream": {"schema": _FILE},
        },
    }
}


def make_api(service: Service) -> FastAPI:
    """The application: /v1/translate, /v1/models, /healthz, /metrics, /docs and /openapi.json."""
    api = FastAPI(
        title="viceversa",
        description=_description(service),
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    _answer_in_json(api)

    @api.post(
        "/v1/translate",
        summary="Translate an image",
        response_class=Response,
        responses={
            200: {
                "content": {kind: {"schema": _FILE} for kind in MEDIA_TYPES.values()},
                "description": "The result.",
                "headers": {_NOTE: {"schema": {"type": "string"}, "description": "What of the file was not used."}},
            },
            **_REFUSED,
        },
        openapi_extra=_BODY,
    )
    async def translate(request: Request, options: Annotated[Options, Query()]) -> Response:
        async with service.request():
            # A place is taken when all is there: whoever sends slowly does not keep others from it.
            data, options = await _read(request, options, service.config.max_bytes)
            with service.place():
                model = service.models.find(options.model)
                done = await service.translate(model, data, options.to, options.format, options.quality)
        headers = {"Content-Disposition": f'inline; filename="translated{SUFFIXES[done.kind]}"'}
        if done.note:
            headers[_NOTE] = done.note
        return Response(done.data, media_type=MEDIA_TYPES[done.kind], headers=headers)

    @api.get(
        "/v1/models",
        summary="The models that are served",
        response_description="All of them.",
        responses=_refusals(**_AT_THE_DOOR),
    )
    async def models() -> Listing:
        return Listing(models=[
            Described(
                name=model.name,
                size_px=model.translator.size_px,
                directions=[
                    Direction(to=to, source=source, target=target)
                    for to, (source, target) in model.directions().items()
                ],
            )
            for model in service.models
        ])  # fmt: skip

    @api.get(
        "/healthz",
        summary="Whether requests are taken",
        response_description="They are.",
        responses=_refusals(_403=_AT_THE_DOOR["_403"], _503="The server is being stopped."),
    )
    async def health() -> Health:
        if service.stopping:
            raise Problem(503, "stopping", "The server is being stopped.", {"Retry-After": "5"})
        return Health()

    @api.get(
        "/metrics",
        summary="Counters, for Prometheus",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The counters."},
            **_refusals(**_AT_THE_DOOR),
        },
    )
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=service.metrics.content_type)

    @api.get("/openapi.json", include_in_schema=False)
    async def schema(request: Request) -> JSONResponse:
        prefix = prefix_of(request.headers, service.config.root_path)
        servers = {"servers": [{"url": prefix}]} if prefix else {}
        return JSONResponse({**api.openapi(), **servers}, headers=_NOT_KEPT)

    @api.get("/docs", include_in_schema=False)
    async def reference(request: Request) -> HTMLResponse:
        prefix = prefix_of(request.headers, service.config.root_path)
        root = address_of(request.headers, request.scope["scheme"], request.scope["server"], prefix)
        return HTMLResponse(reference_page(api.openapi(), root), headers=_NOT_KEPT)

    return api


async def _read(request: Request, options: Options, max_bytes: int) -> tuple[bytes, Options]:
    """The file's bytes; and the options, with what the form adds to the query's."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        data = await request.body()
        if not data:
            raise Problem(422, "no_file", "The body is empty; send an image's file as the body, or 'file' in a form.")
    else:
        data, options = await _read_form(request, options)
    if len(data) > max_bytes:
        raise file_too_large(max_bytes)
    return data, options


async def _read_form(request: Request, options: Options) -> tuple[bytes, Options]:
    try:
        async with request.form(max_files=1, max_fields=len(Options.model_fields), max_part_size=2**12) as form:
            fields: dict[str, Any] = dict(form)
            file = fields.pop("file", None)
            if not isinstance(file, UploadFile):
                raise Problem(422, "no_file", "The form has no file; put the image's file into the field 'file'.")
            data = await file.read()
    except HTTPException as error:
        raise Problem(422, "damaged_form", f"The form cannot be read: {error.detail}") from None
    except (UnicodeError, LookupError):
        raise Problem(422, "damaged_form", "The form cannot be read: its encoding is none.") from None
    try:
        return data, Options.model_validate({**options.model_dump(exclude_unset=True), **fields})
    except ValidationError as error:
        raise _mistaken(error.errors()) from None


def _answer_in_json(api: FastAPI) -> None:
    """All that goes wrong is answered in one form."""

    async def refused(request: Request, error: Exception) -> Response:
        return _problem(request, error).answer()

    for kind in (Problem, ClientDisconnect, RequestValidationError, HTTPException, Exception):
        api.add_exception_handler(kind, refused)


def _problem(request: Request, error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case ClientDisconnect():
            return Problem(400, "cut_short", "The request ended before its body did.")
        case RequestValidationError():
            return _mistaken(error.errors())
        case HTTPException():
            code = _CODES.get(error.status_code, "refused")
            text = f"{request.method} {request.url.path[:200]}: {error.detail}. See /docs."
            return Problem(error.status_code, code, text, dict(error.headers or {}))
        case _:
            return Problem(500, "internal", "Something is wrong in the server; its log says what.")


def _mistaken(errors: Any) -> Problem:
    """422, from what pydantic says."""
    known = ", ".join(Options.model_fields)
    parts: list[str] = []
    for error in errors:
        name = str(error["loc"][-1])[:80]
        if error["type"] == "extra_forbidden":
            parts.append(f"there is no parameter {name!r}; there are {known}")
        else:
            parts.append(f"{name}: {error['msg']}; got {str(error['input'])[:80]!r}")
    return Problem(422, "bad_parameter", f"{'; '.join(parts)}.")


def _description(service: Service) -> str:
    config = service.config
    return (
        f"Files of at most {config.max_bytes / 1e6:.3g} MB and {config.max_pixels / 1e6:.3g} megapixels are taken. "
        f"What takes more than {config.timeout_seconds:g} s is given up."
    )
