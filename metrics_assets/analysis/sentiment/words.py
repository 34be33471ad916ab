"""Words: those that mean something else among developers, and those that say how somebody feels."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

_LISTS: dict[str, str] = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))
TECHNICAL, POSITIVE, NEGATIVE, NEGATIONS, CHANGES, ENDURED, FIRST_PERSON = (
    frozenset(_LISTS[name].split())
    for name in ("technical", "positive", "negative", "negations", "changes", "endured", "first_person")
)
# What takes the place of a technical word: one token, so that the model may still learn what stands around it.
TECHNICAL_TOKEN = "technicalterm"

# Said among developers with another meaning than in a dictionary of feelings; the first that fits counts.
_MEANT = [
    (re.compile(r"\b(?:sick|tired) (?:and tired )?of\b"), "annoyed by"),
    (re.compile(r"\bkiller feature\b"), "great feature"),
    (re.compile(r"\bdead (?:simple|easy)\b"), "very simple"),
    (re.compile(r"\b(?:bad ?ass|kick ?ass|wicked|sick)\b"), "great"),
    (re.compile(r"\b(?:insanely|crazy|ridiculously|stupidly|wickedly|terribly|awfully|freaking|damn)(?= \w)"), "very"),
    (re.compile(r"\bmind ?blowing\b"), "amazing"),
    (re.compile(r"\bblazing(?:ly)?\b"), "very"),
    (re.compile(r"\bbattle[- ]tested\b"), "reliable"),
]

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


def plain(sentence: str, *, technical: bool = False) -> str:
    """A sentence in lower case, its slang replaced by what it means and, unless kept, technical words by one token."""
    text = sentence.lower()
    for pattern, meaning in _MEANT:
        text = pattern.sub(meaning, text)
    if technical:
        return text
    return _WORD.sub(lambda word: TECHNICAL_TOKEN if word[0] in TECHNICAL else word[0], text)


def traits(sentence: str) -> dict[str, float]:
    """What is counted in a sentence in lower case: words of each kind, and how it begins and ends.

    A negation turns the feeling of the three words behind it round.
    """
    words = _WORD.findall(sentence)
    counts = dict.fromkeys(("positive", "negative", "positive negated", "negative negated"), 0.0)
    since_negation = 4
    for word in words:
        since_negation = 0 if word in NEGATIONS else since_negation + 1
        for kind, feeling in (("positive", POSITIVE), ("negative", NEGATIVE)):
            if word in feeling:
                counts[kind if since_negation > 3 else f"{kind} negated"] += 1
    counts["endured"] = sum(word in ENDURED for word in words)
    counts["first person"] = min(1, sum(word in FIRST_PERSON for word in words))
    counts["lists a change"] = bool(words) and words[0] in CHANGES
    counts["question"] = sentence.rstrip().endswith("?")
    counts["exclamation"] = sentence.rstrip().endswith("!")
    return counts
