"""How people feel about the project, from what they write: one figure for a text.

    score("It keeps crashing whenever I open two files.")  ->  (about -0.5, "developer-text logistic 1")
    score("`kill -9`")                                     ->  None: no words are left to judge

`cleaning` takes out what is not said in words (code, quotes, traces), `words` knows which words mean something
else among developers, `model` judges what is left. Texts are judged in memory and never stored.
"""

from __future__ import annotations

from metrics_assets.analysis.sentiment.model import METHOD, lexicon_score, score

__all__ = ["METHOD", "lexicon_score", "score"]
