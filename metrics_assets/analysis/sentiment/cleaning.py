"""What somebody says in a text, without what they only show: code, quotes, traces, links, the template's words.

Takes Markdown, the HTML of forums, and plain text. `sentences` is what the model reads.
"""

from __future__ import annotations

import html
import re

# From the outside in: a fence may hold anything, so it goes first.
_MARKDOWN = [
    re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL),  # the hints of issue templates
    re.compile(r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE),
    re.compile(r"(?<!`)(`{1,3})(?!`)[^`]{1,2000}?\1(?!`)"),
    re.compile(r"^[ \t]*>.*$", re.MULTILINE),  # what somebody else said
    re.compile(r"^(?: {4,}|\t)\S.*$", re.MULTILINE),  # indented code
    re.compile(r"^#{1,6}[ \t].*$", re.MULTILINE),  # headings, which templates give
    re.compile(r"^[ \t]*[-*] \[[ xX]\].*$", re.MULTILINE),  # the template's boxes to tick
    re.compile(r"^[ \t]*\*\*[^*\n]{1,60}\*\*:?[ \t]*$", re.MULTILINE),  # bold lines that stand for headings
]
_HTML_BLOCKS = re.compile(r"<(pre|code|blockquote)\b[^>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_HTML_BREAKS = re.compile(r"</?(?:p|div|br|li|ul|ol|h[1-6]|tr|hr)\b[^>]*>", re.IGNORECASE)
_HTML_TAGS = re.compile(r"</?[a-z][^<>]{0,500}>", re.IGNORECASE)
_TRACES = re.compile(
    r"""^[ \t]*(?:
          Traceback\ \(most\ recent\ call\ last\).*
        | File\ ".*",\ line\ \d+.*
        | (?:Caused\ by:\ |Exception\ in\ thread\ .*|\.\.\.\ \d+\ more).*
        | at\ [\w$.<>/\[\]\ ]+\(.*\)
        | \d+:\ +0x[0-9a-f]+.*
        | (?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception)\b:?.*
        | thread\ '.*'\ panicked\ at\ .*
        | goroutine\ \d+\ \[.*
        | \[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*
    )$""",
    re.MULTILINE | re.VERBOSE,
)
_LINKED_WORDS = re.compile(r"!?\[([^][\n]{0,300})\]\([^)\n]{0,500}\)")
_ADDRESSES = re.compile(r"(?:https?|ftp)://\S+|www\.\S+|(?<!\S)[^\s@]{1,100}@\S+\.\w+")
_NAMED = re.compile(r"(?<!\w)@[\w-]+|(?<!\w)/?[ur]/[\w-]+|(?<!\w)#\d+")
# Paths, identifiers and flags: names of things, not words.
_NAMES_OF_THINGS = re.compile(
    r"(?<!\w)(?:--?[a-z][\w-]*=?\S*|\w+\(\)|\w+(?:\.\w+)+\b|\w*\d\w*)|(?<!\S)[^\s/\\_]{0,100}[/\\_]\S+"
)
_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[^\W\d_]{2,}")
# A model of English reads only letters that English has; a text in another script has no words for it.
_ENGLISH_WORD = re.compile(r"[A-Za-z]{2,}")

MOST_SENTENCES = 40
_MOST_CHARACTERS = 20_000


def clean(text: str) -> str:
    """The words of a text; empty where nothing but code, quotes and links was written."""
    # Bounded, because a pasted log says no more after its first pages.
    text = text[:_MOST_CHARACTERS].replace("\r\n", "\n")
    text = _HTML_BLOCKS.sub("\n", text)
    text = _HTML_BREAKS.sub("\n", text)
    text = html.unescape(_HTML_TAGS.sub("", text))
    for pattern in _MARKDOWN:
        text = pattern.sub(" ", text)
    text = _TRACES.sub(" ", text)
    text = _LINKED_WORDS.sub(r"\1", text)
    for pattern in (_ADDRESSES, _NAMED, _NAMES_OF_THINGS):
        text = pattern.sub(" ", text)
    text = text.replace("’", "'")
    return re.sub(r"[ \t]+", " ", text).strip()


def sentences(text: str) -> list[str]:
    """The sentences of a text that hold at least one English word, cleaned; at most the first 40."""
    found = (sentence.strip(" \t*_-•") for sentence in _ENDS.split(clean(text)))
    return [sentence for sentence in found if _is_said(sentence)][:MOST_SENTENCES]


def _is_said(sentence: str) -> bool:
    """Whether there are words, and not mostly of another script."""
    words = _WORD.findall(sentence)
    english = [word for word in words if _ENGLISH_WORD.fullmatch(word)]
    return bool(english) and 2 * len(english) >= len(words)
