"""Which class codes are malignant and which benign, in every label space by name."""

MALIGNANT_CODES = frozenset({"akiec", "bcc", "malignant", "mel", "melanoma", "scc"})
"""akiec holds actinic keratosis beside carcinoma in situ."""
BENIGN_CODES = frozenset({"benign", "bkl", "df", "nev", "nevus", "nv", "sek", "vasc"})
"""`ak` is in neither: what it counts as is a suite's choice."""
MELANOMA_CODES = frozenset({"mel", "melanoma"})
