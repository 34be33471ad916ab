"""How grave a vulnerability is: the base score of a CVSS 3 vector, in words.

Source: FIRST, Common Vulnerability Scoring System v3.1: Specification Document, section 7.1 and appendix A.
"""

from __future__ import annotations

_VECTOR = {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}
_COMPLEXITY = {"L": 0.77, "H": 0.44}
_PRIVILEGES = {"N": 0.85, "L": 0.62, "H": 0.27}
_PRIVILEGES_IF_SCOPE_CHANGES = {"N": 0.85, "L": 0.68, "H": 0.5}
_INTERACTION = {"N": 0.85, "R": 0.62}
_IMPACT = {"H": 0.56, "L": 0.22, "N": 0.0}


def base_score(vector: str) -> float | None:
    """The base score, 0 to 10, of a vector as 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H'; None of others."""
    head, *rest = vector.split("/")
    if not head.startswith("CVSS:3."):
        return None
    values = dict(pair.split(":", 1) for pair in rest if ":" in pair)
    try:
        changes = {"U": False, "C": True}[values["S"]]
        privileges = (_PRIVILEGES_IF_SCOPE_CHANGES if changes else _PRIVILEGES)[values["PR"]]
        ease = 8.22 * _VECTOR[values["AV"]] * _COMPLEXITY[values["AC"]] * privileges * _INTERACTION[values["UI"]]
        lost = 1 - (1 - _IMPACT[values["C"]]) * (1 - _IMPACT[values["I"]]) * (1 - _IMPACT[values["A"]])
    except KeyError:
        return None
    impact = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changes else 6.42 * lost
    if impact <= 0:
        return 0.0
    return _rounded_up(min((1.08 if changes else 1.0) * (impact + ease), 10))


def rating(vector: str) -> str | None:
    """low, moderate (CVSS's own word is medium), high or critical; None where there is no score or it is 0."""
    score = base_score(vector)
    if not score:
        return None
    return "low" if score < 4 else "moderate" if score < 7 else "high" if score < 9 else "critical"


def _rounded_up(score: float) -> float:
    """To one decimal, upwards, without the errors of binary fractions (appendix A)."""
    whole = round(score * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
