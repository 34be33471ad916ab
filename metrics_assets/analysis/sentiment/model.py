"""A small classifier of developers' sentences: negative, neutral, positive.

TF-IDF of words and of their letters, with counts of feeling words, into a logistic regression. It is trained on
first use from `examples.csv`, which was written for this project: negative says that something is broken, missing
or unpleasant for the writer; positive praises, thanks or says that it works well; neutral asks, states, announces
or lists changes, a repaired defect among them. There is no randomness, so that every process has the same model.

Held out (`held_out.csv`, 162 sentences written before there was a model and never trained on or tuned for): accuracy
0.76, macro-F1 0.76; the raw dictionary (`lexicon_score`) 0.59 and 0.60. Both sets have one writer, so that other
people's words will fare somewhat worse. What it is known to get wrong: irony ("Oh great, another rewrite."), figures of
speech ("like walking through mud"), praise and complaints that only tell facts ("we doubled our throughput", "drains
the battery"), two-word negations ("Not bad."), comparisons turned round ("the least intuitive"), and other languages
in Latin letters, which it judges as if they were English. Trust means over dozens of texts, not a single score.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from metrics_assets.analysis.sentiment.cleaning import sentences
from metrics_assets.analysis.sentiment.words import NEGATIVE, POSITIVE, TECHNICAL, plain, traits

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

METHOD = "developer-text logistic 1"
_FOLDER = Path(__file__).parent


def score(text: str) -> tuple[float, str] | None:
    """How a text feels, from -1 (negative) to 1 (positive), and by which method; None where no words are left.

    The mean over its sentences of P(positive) - P(negative), so that one bad word in a long description weighs
    little.
    """
    said = sentences(text)
    if not said:
        return None
    model = _model()
    negative, positive = (list(model.classes_).index(label) for label in ("negative", "positive"))
    chances = model.predict_proba(said)
    return round(fmean(float(row[positive] - row[negative]) for row in chances), 4), METHOD


def label(text: str) -> str | None:
    """The likeliest class of a text: of the mean of its sentences' chances."""
    said = sentences(text)
    if not said:
        return None
    model = _model()
    return str(model.classes_[model.predict_proba(said).mean(axis=0).argmax()])


def lexicon_score(text: str) -> float:
    """What a dictionary of feelings says of a raw text: (good - bad) / (good + bad), 0 where it knows no word.

    The baseline that the model has to beat. As general dictionaries do, it takes technical words for bad ones.
    """
    words = [word.strip(".,;:!?\"'()`").lower() for word in text.split()]
    good = sum(word in POSITIVE for word in words)
    bad = sum(word in NEGATIVE or word in TECHNICAL for word in words)
    return (good - bad) / (good + bad) if good + bad else 0.0


def examples(name: str = "examples") -> tuple[list[str], list[str]]:
    """The labelled sentences of a file ('examples' or 'held_out'), as texts and labels."""
    with (_FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["label"] for row in rows]


@cache
def _model() -> Pipeline:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

    texts, labels = examples()
    # Several threads wait for each other longer than this little work takes.
    with threadpool_limits(1):
        return untrained().fit(texts, labels)


def untrained() -> Pipeline:
    """The classifier before it has seen an example; it takes sentences as `cleaning.sentences` gives them."""
    # Imported late: scikit-learn takes seconds, and most processes never judge a text.
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import FunctionTransformer

    words = TfidfVectorizer(
        preprocessor=plain, token_pattern=r"[a-z]+(?:'[a-z]+)?|[!?]", ngram_range=(1, 2), sublinear_tf=True
    )
    letters = TfidfVectorizer(preprocessor=plain, analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2)
    counted = make_pipeline(FunctionTransformer(_traits), DictVectorizer())
    return make_pipeline(make_union(words, letters, counted), LogisticRegression(C=3.0, max_iter=2000))


def _traits(texts: list[str]) -> list[dict[str, float]]:
    # In the slang's meaning, but with the technical words: "Kill" at the beginning lists a change.
    return [traits(plain(text, technical=True)) for text in texts]
