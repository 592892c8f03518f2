"""What every dataset calls a diagnosis, and which class that is in each label space: as data.

Two tables. OWN says which diagnosis a dataset's own label is; DIAGNOSES says which class a
diagnosis is in each label space, or that the space has none. The codes of isic8 and ham7 are
diagnoses themselves, so the second table also tells how a model's classes join in a coarser space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

AkChoice = Literal["excluded", "benign", "malignant"]
AK_CHOICES: tuple[AkChoice, ...] = ("excluded", "benign", "malignant")
AK_DEFAULT: AkChoice = "excluded"
AK_SOURCE = (
    "the ISIC Archive files actinic keratosis under Indeterminate, neither Benign nor Malignant"
)
"""`diagnosis_1` of the archive's metadata. Others differ: Pacheco et al. 2020 (PAD-UFES-20) count
it among the diseases that are no cancer, Tschandl et al. 2018 (HAM10000) call it a non-invasive
variant of squamous cell carcinoma."""
BY_CHOICE = "ak"
"""In the column `malignant`: the suite says whether this is benign, malignant or left out."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """One diagnosis and its class in each space; "" where the space has none."""

    title: str
    isic8: str = ""
    ham7: str = ""
    malignant: str = ""
    """benign, malignant, or BY_CHOICE."""
    melanoma: str = ""
    mixed: bool = False
    """Joins AK with carcinoma: as AK goes, so it goes, but it cannot be benign."""
    approximate: Mapping[str, str] | None = None
    """Space to why this diagnosis is not quite its class there."""
    absent: Mapping[str, str] | None = None
    """Space to why it has no class for this diagnosis."""


_JOINED = "akiec joins actinic keratosis and Bowen's disease (an SCC in situ)"
_UNPARTED = f"{_JOINED}, which this space parts: in HAM10000 they are 130 AK and 197 SCC"
_IN_SITU = "akiec holds SCC in situ (Bowen's disease) alone, while this SCC may be invasive"

DIAGNOSES: Mapping[str, Diagnosis] = {
    "mel": Diagnosis(
        title="melanoma", isic8="mel", ham7="mel", malignant="malignant", melanoma="mel"
    ),
    "nv": Diagnosis(
        title="melanocytic nevus", isic8="nv", ham7="nv", malignant="benign", melanoma="rest"
    ),
    "bcc": Diagnosis(
        title="basal cell carcinoma", isic8="bcc", ham7="bcc", malignant="malignant",
        melanoma="rest",
    ),
    "ak": Diagnosis(
        title="actinic keratosis", isic8="ak", ham7="akiec", malignant=BY_CHOICE, melanoma="rest"
    ),
    "scc": Diagnosis(
        title="squamous cell carcinoma", isic8="scc", ham7="akiec", malignant="malignant",
        melanoma="rest", approximate={"ham7": _IN_SITU},
    ),
    "akiec": Diagnosis(
        title="actinic keratosis / Bowen's disease", ham7="akiec", malignant=BY_CHOICE,
        melanoma="rest", mixed=True, absent={"isic8": _UNPARTED},
    ),
    "bkl": Diagnosis(
        title="benign keratosis-like lesion", isic8="bkl", ham7="bkl", malignant="benign",
        melanoma="rest",
    ),
    "df": Diagnosis(
        title="dermatofibroma", isic8="df", ham7="df", malignant="benign", melanoma="rest"
    ),
    "vasc": Diagnosis(
        title="vascular lesion", isic8="vasc", ham7="vasc", malignant="benign", melanoma="rest"
    ),
    "benign": Diagnosis(
        title="benign lesion, not named", malignant="benign", melanoma="rest",
        absent=dict.fromkeys(("isic8", "ham7"), "it is known to be benign, not what it is"),
    ),
    "no_melanoma": Diagnosis(
        title="lesion that is no melanoma, not named", melanoma="rest",
        absent=dict.fromkeys(("isic8", "ham7", "malignant"), "it is not known what it is"),
    ),
    "unk": Diagnosis(
        title="none of the others",
        absent=dict.fromkeys(
            ("isic8", "ham7", "malignant", "melanoma"), "it is not known what it is"
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Own:
    """One label of one dataset."""

    diagnosis: str
    """Key of DIAGNOSES."""
    doubt: str = ""
    """Why it is not quite that diagnosis; "" where it is."""
    spaces: tuple[str, ...] = ()
    """Where the doubt matters: in the others the label is its class all the same."""


def _own(diagnosis: str, doubt: str = "", *spaces: str) -> Own:
    return Own(diagnosis=diagnosis, doubt=doubt, spaces=spaces)


_HAM = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
_ISIC = ("mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc", "unk")
_LENTIGO = "bkl holds solar lentigines, while this lentigo may be another kind"

OWN: Mapping[str, Mapping[str, Own]] = {
    # Tschandl et al. 2018, doi:10.1038/sdata.2018.161.
    "ham10000": {code: _own(code) for code in _HAM},
    "synthetic": {code: _own(code) for code in _HAM},
    # The challenge of 2018, task 3, judges in HAM10000's classes.
    "isic2018_task3_test": {code: _own(code) for code in _HAM},
    # The challenge of 2019; BKL is solar lentigo, seborrheic and lichen planus-like keratosis.
    "isic2019": {code: _own(code) for code in _ISIC},
    "isic2019_test": {code: _own(code) for code in _ISIC},
    # Rotemberg et al. 2021, doi:10.1038/s41597-021-00815-z; all but melanoma has target 0.
    "siim_isic2020": {
        "melanoma": _own("mel"),
        "nevus": _own("nv"),
        "seborrheic keratosis": _own("bkl"),
        "lichenoid keratosis": _own("bkl"),
        "solar lentigo": _own("bkl"),
        "lentigo nos": _own("bkl", _LENTIGO, "isic8", "ham7"),
        "cafe-au-lait macule": _own("benign"),
        "atypical melanocytic proliferation": _own(
            "benign",
            "the challenge counts it as benign, the ISIC Archive as indeterminate",
            "malignant",
        ),
        "unknown": _own("benign"),
    },
    # Pacheco et al. 2020, doi:10.1016/j.dib.2020.106221.
    "pad_ufes_20": {
        "bcc": _own("bcc"),
        "mel": _own("mel"),
        "scc": _own("scc"),
        "ack": _own("ak"),
        "nev": _own("nv"),
        "sek": _own("bkl"),
    },
    # Kawahara et al. 2019, doi:10.1109/JBHI.2018.2824327.
    "derm7pt": {
        "basal cell carcinoma": _own("bcc"),
        "nevus": _own("nv"),
        "blue nevus": _own("nv"),
        "clark nevus": _own("nv"),
        "combined nevus": _own("nv"),
        "congenital nevus": _own("nv"),
        "dermal nevus": _own("nv"),
        "recurrent nevus": _own("nv"),
        "reed or spitz nevus": _own("nv"),
        "dermatofibroma": _own("df"),
        "seborrheic keratosis": _own("bkl"),
        "lentigo": _own("bkl", _LENTIGO, "isic8", "ham7"),
        "melanoma": _own("mel"),
        "melanoma (in situ)": _own("mel"),
        "melanoma (less than 0.76 mm)": _own("mel"),
        "melanoma (0.76 to 1.5 mm)": _own("mel"),
        "melanoma (more than 1.5 mm)": _own("mel"),
        "melanoma metastasis": _own(
            "mel",
            "a metastasis does not look like a primary melanoma",
            "isic8",
            "ham7",
            "melanoma",
        ),
        "melanosis": _own("benign"),
        "miscellaneous": _own(
            "no_melanoma", "melanomas have words of their own in this dataset", "melanoma"
        ),
        "vascular lesion": _own("vasc"),
    },
}
"""Dataset to its own label (lower case) to what that is."""

EXACT_LESIONS: Mapping[str, Mapping[str, str]] = {"isic2019": {"ham7": "HAM_"}}
"""Dataset and space to the prefix of lesion ids for whose rows every mapping is exact: the 197 SCC
that ISIC 2019 took from HAM10000 are HAM10000's akiec itself."""
