"""Reading an upload: bounded while it comes in, in memory alone, decoded with care."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import anyio
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from skinbench.bundle.images import ReadImage, read_image
from skinbench.errors import DataError

MOST_BYTES = 20_000_000
"""Of a request; a JPEG of 24 megapixels has about 10 MB."""
SECONDS = 30
"""In which a request must be here."""
FIELDS = 64
"""Parts of a form that are not the image."""
FIELD_BYTES = 2_000
TYPES = ("image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp")


class Refused(Exception):
    """A request that is not answered.

    Args:
        status: HTTP status.
        code: one word for programs.
        message: one line for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One image and what is said of it."""

    data: bytes
    name: str
    """Last part of the file's name, without anything that is no letter, digit or `-_. `."""
    said: dict[str, str]


class _InMemory(MultiPartParser):
    """Starlette's parser, which never writes to disk here: the request is smaller than this."""

    spool_max_size = 2 * MOST_BYTES
    max_file_size = 2 * MOST_BYTES


async def read_upload(request: Request, fields: tuple[str, ...]) -> Upload:
    """The image of a request, and its metadata.

    A form has the part `image` and one part a field. Anything of type image/* or
    application/octet-stream is the image itself, its metadata in the query.

    Args:
        request: as it comes.
        fields: metadata that the model reads; others are refused.

    Raises:
        Refused: too large, too slow, too many parts, or not what is expected.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        with anyio.fail_after(SECONDS):
            if kind == "multipart/form-data":
                found = await _form(request)
            elif kind.startswith("image/") or kind == "application/octet-stream":
                data = b"".join([part async for part in _bounded(request)])
                found = Upload(data=data, name="", said=dict(request.query_params))
            else:
                raise Refused(
                    415,
                    "wrong_type",
                    "send multipart/form-data with the part `image`, or the image itself "
                    "with its own content type",
                )
    except TimeoutError as error:
        raise Refused(408, "too_slow", f"the upload took more than {SECONDS} s") from error
    except ClientDisconnect as error:
        raise Refused(400, "cut_off", "the upload was cut off") from error
    odd = sorted(set(found.said) - set(fields))
    if odd:
        takes = f"it takes {', '.join(fields)}" if fields else "it reads the image alone"
        raise Refused(422, "unknown_field", f"the model has no field {odd[0][:40]!r}; {takes}")
    if not found.data:
        raise Refused(422, "no_image", "the request holds no image; send it as the part `image`")
    return found


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    """The body as it comes, as long as it is small enough."""
    stated = request.headers.get("content-length", "0")
    if not stated.isdigit() or int(stated) > MOST_BYTES:
        raise _too_large()
    total = 0
    async for part in request.stream():
        total += len(part)
        if total > MOST_BYTES:
            raise _too_large()
        yield part


def _too_large() -> Refused:
    return Refused(
        413, "too_large", f"the upload has more than {MOST_BYTES / 1e6:.0f} MB; send a smaller one"
    )


async def _form(request: Request) -> Upload:
    parser = _InMemory(
        request.headers,
        _bounded(request),
        max_files=1,
        max_fields=FIELDS,
        max_part_size=FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refused(400, "bad_form", f"the form cannot be read: {error.message}") from error
    except (KeyError, ValueError, AssertionError) as error:
        raise Refused(400, "bad_form", "the form cannot be read: it is malformed") from error
    said: dict[str, str] = {}
    data, name = b"", ""
    for key, value in form.multi_items():
        if isinstance(value, UploadFile):
            if key != "image":
                raise Refused(422, "unknown_part", "the image is sent as the part `image`")
            data, name = await value.read(), plain_name(value.filename or "")
            await value.close()
        elif key in said:
            raise Refused(422, "twice", f"the field {key[:40]!r} is there twice")
        elif key == "image":
            raise Refused(422, "no_image", "the part `image` holds text; send a file")
        else:
            said[key] = value
    return Upload(data=data, name=name, said=said)


def plain_name(name: str) -> str:
    """The last part of a path, printable and short; nothing of it is used as a path."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = (c if c.isalnum() or c in "-_. " else "_" for c in unicodedata.normalize("NFC", last))
    return "".join(kept).strip(". ")[:80]


def decode_upload(data: bytes) -> ReadImage:
    """The image of an upload.

    Raises:
        Refused: it is none that can be read.
    """
    try:
        return read_image(data)
    except DataError as error:
        large = "megapixels" in str(error)
        raise Refused(
            413 if large else 422, "too_many_pixels" if large else "unreadable", str(error)
        ) from error
