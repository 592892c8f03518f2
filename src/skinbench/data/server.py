"""Asking a server for a file: redirects, refusals and outages, each as one line."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO

from skinbench import __version__
from skinbench.errors import DataError, one_line

_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that say `later`, not `no`."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a transfer waits, and how often it tries."""

    timeout: float = 60.0
    """Seconds without a byte."""
    attempts: int = 5
    """In a row that bring nothing new."""
    pause: Callable[[float], None] = time.sleep
    """(seconds)."""


class CutOff(Exception):
    """Worth another attempt; the message is the reason."""


def remote_size(url: str, patience: Patience) -> int | None:
    """Bytes of a file as its server tells, None where it does not; downloads nothing.

    Raises:
        DataError: the server refuses or cannot be reached.
    """
    for attempt in range(patience.attempts):
        try:
            # Not HEAD: signed addresses, to which Dataverse redirects, are for GET alone.
            with open_url(url, {"Range": "bytes=0-0"}, patience) as response:
                if response.status == 206:
                    return content_range(response.headers)[1]
                return content_length(response.headers)
        except CutOff as error:
            reason = error
            if attempt + 1 < patience.attempts:
                patience.pause(2.0**attempt)
    raise DataError(f"{shown(url)}: {reason}; try again later")


def shown(url: str) -> str:
    """An address for a message: one line, without what may be a secret in its query."""
    return one_line(url.partition("?")[0])


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow to http and https only, and never from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The next request; an error where it would leave encryption or HTTP."""
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme != "https" and (scheme != "http" or req.type == "https"):
            raise DataError(f"{shown(req.full_url)}: redirects to {shown(newurl)}: refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_url(
    url: str, headers: dict[str, str], patience: Patience, part: Path | None = None
) -> http.client.HTTPResponse:
    """A server's answer, opened.

    Args:
        url: http or https.
        headers: of the request, beside who asks.
        patience: its timeout.
        part: what an earlier attempt left, which goes where the server says that it is too long.

    Raises:
        CutOff: later may be better.
        DataError: it never will.
    """
    if not re.match(r"https?://", url, re.IGNORECASE):
        raise DataError(f"{shown(url)} is not an http or https address")
    agent = {"User-Agent": f"skinbench/{__version__}", "Accept-Encoding": "identity"}
    opener = urllib.request.build_opener(_Redirects)
    try:
        request = urllib.request.Request(url, headers={**agent, **headers})
        response: http.client.HTTPResponse = opener.open(request, timeout=patience.timeout)
        return response
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(url, error, part) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise DataError(f"{shown(url)} is not an address: {one_line(str(error))}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, error, part) from error


def _refused(url: str, error: urllib.error.HTTPError, part: Path | None) -> Exception:
    if error.code == 416 and part is not None:  # the part is longer than the file is now
        part.unlink(missing_ok=True)
        return CutOff("the file changed on the server")
    if error.code in _AGAIN:
        return CutOff(f"answers {error.code} ({one_line(error.reason)})")
    meanings = {
        401: "asks for a login",
        403: "refuses access",
        404: "is not there; it may have moved",
        410: "is no longer there",
    }
    if 300 <= error.code < 400:  # urllib's own refusals
        return DataError(
            f"{shown(url)}: redirects in circles or out of the web: refused (HTTP {error.code})"
        )
    meaning = meanings.get(error.code, one_line(str(error.reason)))
    return DataError(f"{shown(url)}: {meaning} (HTTP {error.code})")


def _unreachable(url: str, error: Exception, part: Path | None) -> Exception:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    begun = part is not None and part.exists()
    if isinstance(cause, (socket.gaierror, ssl.SSLCertVerificationError)) and not begun:
        return DataError(
            f"{shown(url)}: cannot be reached ({reason_of(cause)}); is there a network?"
        )
    if isinstance(cause, TimeoutError):
        return CutOff("does not answer")
    return CutOff(f"cannot be reached ({reason_of(cause)})")


def reason_of(error: object) -> str:
    """An error's own words on one line."""
    return one_line(str(getattr(error, "strerror", None) or error) or type(error).__name__)


def content_length(headers: Message) -> int | None:
    """Bytes that follow, None where the server does not say."""
    text = headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"\d{1,15}", text) else None


def content_range(headers: Message) -> tuple[int, int | None]:
    """(first byte, bytes in all); (-1, None) where the header is none."""
    pattern = r"bytes (\d{1,15})-\d{1,15}/(\d{1,15}|\*)"
    match = re.fullmatch(pattern, headers.get("Content-Range", ""))
    if not match:
        return -1, None
    return int(match[1]), None if match[2] == "*" else int(match[2])
