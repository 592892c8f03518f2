"""The model response sheet: one image's answer as a tagged PDF, the same bytes every time."""

from __future__ import annotations

import base64
from typing import Any

from skinbench.bundle.words import NOT_A_DEVICE, NOT_COMMERCIAL
from skinbench.serve.answers import Answer, Answerer, evidence_rules
from skinbench.serve.pages import environment, fields_of, overall, prevalences


def sheet_pdf(answer: Answer, answerer: Answerer, name: str) -> bytes:
    """The sheet as PDF/UA-1; no date is in it, and nothing is fetched.

    Args:
        answer: what the model says.
        answerer: the model.
        name: of the uploaded file, made plain; "" where it has none.
    """
    from weasyprint import HTML

    html = sheet_html(answer, answerer, name)
    made: bytes = HTML(string=html, url_fetcher=_fetcher()).write_pdf(pdf_variant="pdf/ua-1")
    return made


def _fetcher() -> Any:
    from weasyprint.urls import URLFetcher

    return URLFetcher(allowed_protocols=("data",), allow_redirects=False)


def sheet_html(answer: Answer, answerer: Answerer, name: str) -> str:
    """The sheet before it is laid out."""
    bundle = answerer.bundle
    rules = evidence_rules(answerer)
    best = sorted(answer.probabilities.items(), key=lambda item: (-item[1], item[0]))
    return (
        environment()
        .get_template("sheet.html.j2")
        .render(
            answer=answer,
            bundle=bundle,
            digest=answerer.model.opened.digest,
            name=name,
            notice=NOT_A_DEVICE,
            licence=NOT_COMMERCIAL if bundle.non_commercial else "",
            synthetic=any(item.synthetic for item in bundle.trained_on),
            fields=fields_of(answerer),
            probabilities=best,
            rules=rules,
            prevalences=prevalences(rules),
            overall=overall(bundle),
            picture=_uri(answer.picture),
            heat=[(item.class_, _uri(item.picture)) for item in answer.heat],
        )
    )


def _uri(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()
