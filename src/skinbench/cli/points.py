"""Operating points as they are typed: `mel:recall=0.95`, `mel:youden`, `mel:cost=20/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skinbench.records.operating import PointRequest


def point_request(text: str) -> PointRequest:
    """One `--point`; errors are those of records.deciding.parse_point."""
    from skinbench.records.deciding import parse_point
    from skinbench.records.operating import PointRequest

    class_, policy = parse_point(text)
    return PointRequest(class_=class_, policy=policy)
