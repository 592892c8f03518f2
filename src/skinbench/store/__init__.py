"""The only part that knows file names: the shared store, the run folder, and atomic writes."""

from skinbench.store.digests import FileDigests
from skinbench.store.files import (
    file_digest,
    read_json,
    read_record,
    replacing,
    write_json,
    write_text,
)
from skinbench.store.locks import alone_in
from skinbench.store.mirror import Mirror, Progress, brought
from skinbench.store.objects import (
    KINDS,
    MARKER,
    STORE_SCHEMA_VERSION,
    Store,
    StoredObject,
)
from skinbench.store.plain import canonical_json, content_digest, from_plain, salted, to_plain
from skinbench.store.private import (
    needed_salt,
    private_data,
    salt_in_use,
    shown_id,
    write_private,
)
from skinbench.store.run_folder import RunFolder, file_name
from skinbench.store.shared import COPIES, SharedStore, default_store_path, open_store
from skinbench.store.urls import checked_url, is_url, joined

__all__ = [
    "COPIES",
    "FileDigests",
    "KINDS",
    "MARKER",
    "Mirror",
    "Progress",
    "RunFolder",
    "STORE_SCHEMA_VERSION",
    "SharedStore",
    "Store",
    "StoredObject",
    "alone_in",
    "brought",
    "canonical_json",
    "checked_url",
    "content_digest",
    "default_store_path",
    "file_digest",
    "file_name",
    "from_plain",
    "is_url",
    "joined",
    "needed_salt",
    "open_store",
    "private_data",
    "read_json",
    "read_record",
    "replacing",
    "salt_in_use",
    "salted",
    "shown_id",
    "to_plain",
    "write_json",
    "write_private",
    "write_text",
]
