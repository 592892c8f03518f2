"""`skinbench serve`."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

import click

from skinbench.errors import UsageError


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, exists=True))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8117,
    show_default=True,
    help="0 for any that is free.",
)
@click.option(
    "--beyond-loopback",
    is_flag=True,
    help="Allow an address that other machines reach; a token is then needed.",
)
@click.option(
    "--name", "names", multiple=True, help="A name that other machines ask by; several times."
)
@click.option(
    "--token",
    envvar="SKINBENCH_TOKEN",
    help="For --beyond-loopback. [default: drawn and printed; env: SKINBENCH_TOKEN]",
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
def command(
    bundle: Path,
    host: str,
    port: int,
    beyond_loopback: bool,
    names: tuple[str, ...],
    token: str | None,
    threads: int,
) -> None:
    """Open a page to try an exported model by hand.

    Images stay in memory until they are answered; nothing is kept or logged, and nothing is asked
    of the network. /predict answers programs; /openapi.json says how. Ends with Ctrl-C.

    Research software, not a medical device.
    """
    from skinbench.cli.extras import SERVE_MODULES, require

    require("serve", SERVE_MODULES, "serve")
    from skinbench.serve.guards import is_loopback

    loopback = is_loopback(host)
    if not loopback and not beyond_loopback:
        raise UsageError(
            f"--host {host}: other machines would reach the page; say --beyond-loopback as well"
        )
    if token is not None and len(token) < 16:
        raise UsageError("--token: has under 16 characters; leave it out and one is drawn")
    secret = "" if loopback and token is None else token or secrets.token_urlsafe(24)
    _serve(bundle, host, port, names, secret, threads)


def _serve(
    bundle: Path, host: str, port: int, names: tuple[str, ...], token: str, threads: int
) -> None:
    import uvicorn

    from skinbench.bundle.model import BundleModel
    from skinbench.bundle.reading import open_bundle
    from skinbench.data.images import strict_pillow
    from skinbench.serve.answers import Answerer
    from skinbench.serve.app import make_app
    from skinbench.serve.guards import access_of

    listening = _listening(host, port)
    port = listening.getsockname()[1]
    opened = open_bundle(bundle)
    answerer = Answerer(BundleModel(opened, threads=threads))
    app = make_app(answerer, access_of(host, port, names, token))
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=5,
        lifespan="off",
        limit_concurrency=200,
    )
    click.echo(f"{opened.record.cell}: {address}")
    if token:
        click.echo("The address holds the token: who knows it can ask. There is no encryption.")
    click.echo("Research software, not a medical device. Nothing sent is kept. Ctrl-C ends it.")
    with strict_pillow():
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """A socket of ours from the start: who connects while the model is read is kept waiting."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"port {port} of {host} cannot be used: {error.strerror or error}; "
            f"choose another with --port, or 0 for any that is free"
        ) from error
