"""The page as HTML: what is known of the model; its script fills in what it says of an image."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from skinbench.bundle.words import NOT_A_DEVICE, NOT_COMMERCIAL, share_words
from skinbench.errors import counted
from skinbench.records import Bundle, FalseAlarms
from skinbench.records.operating import Estimate
from skinbench.serve.answers import Answerer, RuleEvidence, evidence_rules
from skinbench.serve.uploads import MOST_BYTES


@functools.cache
def environment() -> Environment:
    """Templates of this folder, and the report's for their style."""
    made = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("skinbench.serve", "templates"),
                PackageLoader("skinbench.report", "templates"),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        share=share_words,
        counted=counted,
        span=span,
        brief=brief,
        alarms=alarms,
        sentence=sentence,
        why_no_interval=why_no_interval,
    )
    return made


@functools.cache
def asset(name: str) -> str:
    """The style or the script of the page."""
    if name.endswith(".css"):
        return environment().get_template(name + ".j2").render()
    return (files("skinbench.serve") / "templates" / name).read_text(encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of metadata in the form."""

    name: str
    title: str
    words: tuple[str, ...] | None
    """To choose from; None for a number."""


def fields_of(answerer: Answerer) -> tuple[Field, ...]:
    """Metadata that the model reads."""
    titles = {"age": "Age in years", "site_general": "Body site", "site": "Body site"}
    return tuple(
        Field(
            name=name,
            title=titles.get(name, name.replace("_", " ").capitalize()),
            words=answerer.model.vocabulary(name),
        )
        for name in answerer.model.fields
    )


def model_page(answerer: Answerer) -> str:
    """The page for one bundle."""
    bundle = answerer.bundle
    rules = evidence_rules(answerer)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            bundle=bundle,
            short=answerer.model.opened.short,
            notice=NOT_A_DEVICE,
            licence=NOT_COMMERCIAL if bundle.non_commercial else "",
            synthetic=any(item.synthetic for item in bundle.trained_on),
            fields=fields_of(answerer),
            rules=rules,
            prevalences=prevalences(rules),
            overall=overall(bundle),
            megabytes=round(MOST_BYTES / 1e6),
            data=page_data(bundle, rules),
        )
    )


def overall(bundle: Bundle) -> list[Estimate]:
    """Scores over all classes."""
    return [item for item in bundle.evidence if item.class_ is None]


def prevalences(rules: tuple[RuleEvidence, ...]) -> list[float]:
    """Stated shares of the focus class."""
    return sorted({item.prevalence for rule in rules for item in rule.beyond})


def page_data(bundle: Bundle, rules: tuple[RuleEvidence, ...]) -> dict[str, Any]:
    """What the page's script needs to know of the model."""
    return {
        "classes": [{"code": code, "title": bundle.title(code)} for code in bundle.classes],
        "focus": bundle.focus,
        "focus_title": bundle.title(bundle.focus),
        "share": bundle.shares.get(bundle.focus, 0.0),
        "level": bundle.level,
        "rules": [
            {
                "rule": rule.rule,
                "title": rule.title,
                "threshold": rule.threshold,
                "recall": number(rule.recall),
                "test": {"positive": number(rule.precision), "negative": number(rule.negative)},
                "at": {
                    f"{item.prevalence:g}": {
                        "positive": number(_of(item.scores, "positive_predictive_value")),
                        "negative": number(_of(item.scores, "negative_predictive_value")),
                    }
                    for item in rule.beyond
                },
            }
            for rule in rules
        ],
    }


def number(item: Estimate | None) -> dict[str, Any] | None:
    """Value, interval and n of an estimate."""
    if item is None:
        return None
    return {
        "value": item.value,
        "low": item.low,
        "high": item.high,
        "n": item.n,
        "n_positive": item.n_positive,
        "reason": item.reason,
    }


def _of(scores: tuple[Estimate, ...], metric: str) -> Estimate | None:
    return next((item for item in scores if item.metric == metric), None)


def span(item: Estimate | None) -> str:
    """`41 % [33, 50]`, `100 % (no interval: 3 lesion groups, ...)`, or why it is undefined."""
    if item is None:
        return "not measured"
    if item.value is None:
        return item.reason or "undefined"
    if item.low is None or item.high is None:
        return f"{share_words(item.value)} ({item.reason})"
    low, high = (share_words(bound).removesuffix(" %") for bound in (item.low, item.high))
    return f"{share_words(item.value)} [{low}, {high}]"


def brief(item: Estimate | None) -> str:
    """The same for a narrow cell: why there is no interval stands under the table."""
    if item is None or item.value is None or item.low is not None:
        return span(item)
    return f"{share_words(item.value)} (no interval)"


def why_no_interval(rules: tuple[RuleEvidence, ...]) -> str:
    """Why predictive values at stated shares have none, each reason once; "" where all have."""
    found = [
        item.reason.removeprefix("no interval: ")
        for rule in rules
        for at in rule.beyond
        for item in at.scores
        if item.metric in _PREDICTIVE and item.value is not None and item.low is None
    ]
    return "; ".join(dict.fromkeys(found))


_PREDICTIVE = ("positive_predictive_value", "negative_predictive_value")


def sentence(text: str) -> str:
    """With a capital in front; names within it stay as they are."""
    return text[:1].upper() + text[1:]


def alarms(item: FalseAlarms) -> str:
    """`1 of 100 val images like it gets this warning [0.4, 3]`."""
    if item.share is None or item.low is None or item.high is None:
        return "how often it warns of images like the training data is not known: there is no val"
    low, high = (share_words(bound).removesuffix(" %") for bound in (item.low, item.high))
    return (
        f"{share_words(item.share)} [{low}, {high}] of {counted(item.n, 'val image')}, which are "
        f"like the training data, get it too"
    )
