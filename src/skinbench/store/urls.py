"""Folders at URLs: which are known, how one is opened, and what its errors mean.

`s3://`, `gs://`, `abfs://` and `file://` are opened by pyarrow, which every installation has;
anything else by fsspec, where its package is installed. Keys and passwords never stand in a URL:
they come from where each provider's own tools look for them.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from skinbench.errors import UsageError, one_line

ATTEMPTS = 3
"""Of one request, by the provider's client; whole files are tried again besides."""
GIVES_UP = timedelta(seconds=60)
"""How long the client of Google's storage tries one request."""
QUERY = ("endpoint_override", "region", "scheme")
"""What may stand after the `?` of a URL."""
_URL = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]+)://")
_CODE = re.compile(r"AWS Error ([A-Z][A-Z_0-9]*)")
_DENIED = frozenset(
    {
        "ACCESS_DENIED",
        "EXPIRED_TOKEN",
        "INVALID_ACCESS_KEY_ID",
        "INVALID_CLIENT_TOKEN_ID",
        "INVALID_SIGNATURE",
        "MISSING_AUTHENTICATION_TOKEN",
        "SIGNATURE_DOES_NOT_MATCH",
        "UNRECOGNIZED_CLIENT",
    }
)
_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the machine's role",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, `gcloud auth application-default login`, or its role",
}
_HOPELESS = (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR)
_LONGEST = 160
"""Characters of a provider's own words in a message."""


def is_url(place: str) -> bool:
    """Whether a place is a URL, and not a path."""
    return _URL.match(place) is not None


def checked_url(url: str) -> str:
    """A URL as it is kept and shown, without a slash at its end.

    Raises:
        UsageError: it has no bucket, or says what must not stand in it; no secret is repeated.
    """
    parts = urlsplit(url.strip())
    if "@" in parts.netloc:
        raise UsageError(
            f"the {parts.scheme}:// URL has a name or password in it, which would be kept and "
            f"shown; leave it out, and set {_KEYS.get(parts.scheme, 'the usual variables')}"
        )
    for key, _ in parse_qsl(parts.query, keep_blank_values=True):
        if key not in QUERY:
            raise UsageError(
                f"the {parts.scheme}:// URL says '{one_line(key)}'; only {', '.join(QUERY)} may "
                f"stand in one (keys: {_KEYS.get(parts.scheme, 'by the usual variables')})"
            )
    if parts.scheme != "file" and not parts.netloc:
        raise UsageError(f"{parts.scheme}:// names no bucket; expected {parts.scheme}://BUCKET/...")
    asked = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme.lower()}://{parts.netloc}{parts.path.rstrip('/')}{asked}"


def joined(url: str, *names: str) -> str:
    """The URL of something below another."""
    head, mark, query = url.partition("?")
    return "/".join([head.rstrip("/"), *names]) + mark + query


def split_url(url: str) -> tuple[str, str]:
    """The URL of the folder that something is in, and its name there."""
    head, mark, query = url.partition("?")
    folder, _, name = head.rstrip("/").rpartition("/")
    return folder + mark + query, name


def open_url(url: str) -> tuple[Any, str]:
    """A pyarrow file system, and the folder's path in it.

    Raises:
        UsageError: nothing here opens such a URL.
        OSError: the provider does not answer.
    """
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))
    path = parts.netloc + parts.path
    if parts.scheme == "file":
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem(), parts.path
    built_in = _BUILT_IN.get(parts.scheme)
    if built_in is None:
        return _by_fsspec(parts.scheme), path
    try:
        return built_in(parts.netloc, asked), path
    except ImportError as error:
        raise UsageError(
            f"{parts.scheme}:// needs a pyarrow that is built with it: {error}"
        ) from error


def _s3(bucket: str, asked: dict[str, str]) -> Any:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region

    elsewhere = asked.get("endpoint_override") or any(
        os.environ.get(name) for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
    )
    region = (
        asked.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    )
    if region is None and not elsewhere:
        region = resolve_s3_region(bucket)
    return S3FileSystem(
        region=region,
        endpoint_override=asked.get("endpoint_override"),
        scheme=asked.get("scheme"),
        connect_timeout=10,
        request_timeout=30,
        allow_delayed_open=True,  # a small file is one request
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
    )


def _gs(_bucket: str, asked: dict[str, str]) -> Any:
    from pyarrow.fs import GcsFileSystem

    return GcsFileSystem(
        retry_time_limit=GIVES_UP,
        endpoint_override=asked.get("endpoint_override"),
        scheme=asked.get("scheme", "https"),
    )


def _azure(container: str, _asked: dict[str, str]) -> Any:
    from pyarrow.fs import AzureFileSystem

    account = os.environ.get("AZURE_STORAGE_ACCOUNT")
    if not account:
        raise UsageError(f"abfs://{container}: set AZURE_STORAGE_ACCOUNT to the account's name")
    return AzureFileSystem(account_name=account)


_BUILT_IN: dict[str, Callable[[str, dict[str, str]], Any]] = {
    "s3": _s3,
    "gs": _gs,
    "gcs": _gs,
    "abfs": _azure,
    "abfss": _azure,
}


def _by_fsspec(scheme: str) -> Any:
    known = "s3://, gs://, abfs:// and file:// are built in"
    try:
        import fsspec
    except ImportError as error:
        raise UsageError(
            f"{scheme}:// cannot be opened: {known}; for others pip install fsspec and the "
            f"package of that provider"
        ) from error
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    try:
        return PyFileSystem(FSSpecHandler(fsspec.filesystem(scheme)))
    except ImportError as error:
        raise UsageError(f"{scheme}:// needs a package: {error}") from error
    except ValueError as error:  # fsspec's word for what it does not know
        raise UsageError(
            f"{scheme}:// is no kind of place that is known here: {known}, and what fsspec opens"
        ) from error


def reason_of(error: Exception, url: str) -> tuple[str, bool]:
    """What an error of a file system means in a few words, and whether trying again may help."""
    scheme, text = urlsplit(url).scheme, " ".join(str(error).split())
    found = _CODE.search(text)
    code = found[1] if found else ""
    if code == "NO_SUCH_BUCKET":
        return f"there is no bucket '{urlsplit(url).netloc}'; make it, or name another", False
    if code in _DENIED or isinstance(error, PermissionError):
        keys = _KEYS.get("gs" if scheme == "gcs" else scheme)
        return "access is denied" + (f"; check the keys here ({keys})" if keys else ""), False
    if isinstance(error, OSError) and error.errno in _HOPELESS:
        return error.strerror or text[:_LONGEST], False
    if code == "NETWORK_CONNECTION":
        return "the connection fails or breaks", True
    if re.search(r"HTTP status 4(?!08|29)", text):
        return text[:_LONGEST], False
    said = re.sub(r" ?\(?Request ID: [^)]*\)?", "", text).rpartition("operation: ")[2]
    return said[:_LONGEST] or type(error).__name__, True
