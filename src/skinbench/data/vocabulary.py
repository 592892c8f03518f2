"""One vocabulary for body sites: what each dataset says, in ISIC's general sites."""

from __future__ import annotations

from collections.abc import Mapping

GENERAL_SITES = (
    "anterior torso",
    "head/neck",
    "lateral torso",
    "lower extremity",
    "oral/genital",
    "palms/soles",
    "posterior torso",
    "torso",
    "upper extremity",
)
"""`anatom_site_general` of the ISIC Archive, and `torso` where a dataset says no more."""

PARENTS: Mapping[str, str] = dict.fromkeys(
    ("anterior torso", "lateral torso", "posterior torso"), "torso"
)
"""Sites that are also the coarser one: who learns from `posterior torso` knows `torso` too."""

_ISIC = {site: site for site in GENERAL_SITES}
SITES: Mapping[str, Mapping[str, str]] = {
    # Tschandl et al. 2018. ISIC 2019 gives the same 10,015 images the same general sites, but
    # none to `trunk` (1,404) and `genital` (48); hand and foot are extremities there, too.
    "ham10000": {
        "abdomen": "anterior torso",
        "acral": "palms/soles",
        "back": "posterior torso",
        "chest": "anterior torso",
        "ear": "head/neck",
        "face": "head/neck",
        "foot": "lower extremity",
        "genital": "oral/genital",
        "hand": "upper extremity",
        "lower extremity": "lower extremity",
        "neck": "head/neck",
        "scalp": "head/neck",
        "trunk": "torso",
        "upper extremity": "upper extremity",
    },
    "isic2019": _ISIC,
    "isic2019_test": _ISIC,
    "siim_isic2020": _ISIC,
    # Pacheco et al. 2020: hands and feet as in HAM10000; the lip's skin is part of the face.
    "pad_ufes_20": {
        "abdomen": "anterior torso",
        "arm": "upper extremity",
        "back": "posterior torso",
        "chest": "anterior torso",
        "ear": "head/neck",
        "face": "head/neck",
        "foot": "lower extremity",
        "forearm": "upper extremity",
        "hand": "upper extremity",
        "lip": "head/neck",
        "neck": "head/neck",
        "nose": "head/neck",
        "scalp": "head/neck",
        "thigh": "lower extremity",
    },
    # Kawahara et al. 2019.
    "derm7pt": {
        "abdomen": "anterior torso",
        "acral": "palms/soles",
        "back": "posterior torso",
        "buttocks": "posterior torso",
        "chest": "anterior torso",
        "genital areas": "oral/genital",
        "head neck": "head/neck",
        "lower limbs": "lower extremity",
        "upper limbs": "upper extremity",
    },
}
"""Dataset to its own word (lower case) to the general site."""

_ANYWHERE = {word: site for words in SITES.values() for word, site in words.items()}


def general_site(adapter: str, site: str | None) -> str | None:
    """A body site in ISIC's general sites; None where it is unknown or has no place there.

    Args:
        adapter: the dataset's name; one that has no words of its own is read by those of all.
        site: in the dataset's own words, in any letter case.
    """
    if site is None or site != site:  # NaN differs from itself
        return None
    return SITES.get(adapter, _ANYWHERE).get(" ".join(str(site).lower().split()))


def with_parents(site: str | None) -> tuple[str, ...]:
    """A general site and the coarser one that it is part of."""
    if site is None:
        return ()
    return (site, PARENTS[site]) if site in PARENTS else (site,)
