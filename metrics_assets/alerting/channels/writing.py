"""A message as the services write it. Names and titles come from outside; none becomes a link, a mention or markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from metrics_assets.alerting.channels.base import shortened
from metrics_assets.alerting.messages import Link, Message, Section

# Keeps two characters apart without being seen.
_INVISIBLE = "\u200b"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#|~])")
_SLACK_MARKUP = re.compile(r"([*~`])")
_HTTP = re.compile(r"https?://[^\s<>\"'`|\\]+")
_USERS = re.compile(r"[A-Za-z0-9._-]+")


def as_text(message: Message, most: int = 20_000) -> str:
    """Under the title: short lines, headings, items with a hyphen, links in full."""
    return _written(message, most, lambda text: text, lambda text: text, "- ", lambda link: f"{link.label}: {link.url}")


def as_markdown(message: Message, most: int, *, private_links: bool = True) -> str:
    """As GitHub and Discord read Markdown."""
    return _written(
        message,
        most,
        markdown,
        lambda text: f"**{markdown(text)}**",
        "- ",
        lambda link: f"[{markdown(link.label)}](<{link.url}>)",
        private_links=private_links,
        # Markdown joins lines that are not kept apart.
        line_end="  ",
    )


def as_slack(message: Message, most: int) -> str:
    """As Slack's mrkdwn."""
    return _written(
        message,
        most,
        slack,
        lambda text: f"*{slack(text)}*",
        "• ",
        lambda link: f"<{escape(link.url, quote=False)}|{slack(link.label)}>",
    )


def as_html(message: Message) -> str:
    """As mail programs show HTML, with nothing to load."""
    parts = [f"<p>{'<br>'.join(escape(line) for line in message.lines)}</p>"] if message.lines else []
    for section in message.sections:
        items = "".join(f"<li>{escape(line)}</li>" for line in section.lines)
        parts.append(f"<p><b>{escape(section.heading)}</b></p><ul>{items}</ul>")
    # In full, too: the plain text is made of this, and links are lost there.
    links = [
        f'{escape(link.label)}: <a href="{escape(link.url)}">{escape(link.url)}</a>' for link in _good_links(message)
    ]
    if links:
        parts.append(f"<p>{'<br>'.join(links)}</p>")
    return "\n".join(parts)


def markdown(text: str) -> str:
    """A text that Markdown shows as it is; nobody is mentioned and nothing is linked."""
    plain = _MARKDOWN.sub(r"\\\1", text)
    # A list or a number at the beginning of a line, and the ways to mention people, issues and addresses.
    plain = re.sub(r"^(\s*)([-+=]|\d+(?=[.)]))", rf"\1{_INVISIBLE}\2", plain)
    return plain.replace("@", f"@{_INVISIBLE}").replace("://", f":{_INVISIBLE}//").replace("www.", f"www{_INVISIBLE}.")


def slack(text: str) -> str:
    """A text that Slack shows as it is."""
    plain = escape(text, quote=False)
    return _SLACK_MARKUP.sub(rf"{_INVISIBLE}\1", plain).replace("://", f":{_INVISIBLE}//")


def is_a_name(mention: str) -> bool:
    """Whether a mention is a plain name, which cannot carry markup."""
    return _USERS.fullmatch(mention) is not None


def _good_links(message: Message, private_links: bool = True) -> list[Link]:
    return [link for link in message.links if _HTTP.fullmatch(link.url) and (private_links or not link.is_private)]


def _written(
    message: Message,
    most: int,
    plain: Callable[[str], str],
    heading: Callable[[str], str],
    bullet: str,
    linked: Callable[[Link], str],
    *,
    private_links: bool = True,
    line_end: str = "",
) -> str:
    """The message in blocks. Where it is too long, the longest section loses its last lines first.

    Of the links to acknowledge, of which a group has many, the last go where they take more room than any section.
    """
    links = _good_links(message, private_links)
    to_acknowledge = [link for link in links if link.is_private]
    sections = list(message.sections)

    def write() -> str:
        blocks = [f"{line_end}\n".join(plain(line) for line in message.lines)] if message.lines else []
        for one in sections:
            blocks.append("\n".join([heading(one.heading), *(f"{bullet}{plain(line)}" for line in one.lines)]))
        if links:
            blocks.append(f"{line_end}\n".join(linked(link) for link in links))
        return "\n\n".join(blocks)

    text = write()
    while len(text) > most and (len(to_acknowledge) > 1 or any(section.lines for section in sections)):
        sizes = [sum(map(len, section.lines)) for section in sections]
        if len(to_acknowledge) > 1 and sum(len(linked(link)) for link in to_acknowledge) > max(sizes, default=0):
            links.remove(to_acknowledge.pop())
            text = write()
            continue
        if not sizes:
            break
        longest = sizes.index(max(sizes))
        kept = Section(sections[longest].heading, sections[longest].lines[:-1])
        sections[longest : longest + 1] = [kept] if kept.lines else []
        text = write()
    return shortened(text, most)
