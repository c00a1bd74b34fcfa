"""The forms of a digest: Markdown, plain text, HTML, and what Slack and Teams take.

Whatever comes from a tool stays text: it is escaped in Markdown and HTML, and in chats stands where no markup is read.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2

from sync.digest.model import Better, Content, Entry, Kind, Shown
from sync.digest.terms import By, Chat
from sync.digest.text import day, line
from sync.report.writing import plain

STUCK, OUTCOME, BETTER = "Stuck", "Without a good outcome", "Better since the last digest"

_SLACK_LETTERS = 9_000
"""Slack takes 50 blocks with 3,000 letters each (https://docs.slack.dev/reference/block-kit/blocks), but refuses long
messages before that, without saying where (https://github.com/slackapi/bolt-js/issues/2867: 12,000 were too many)."""
_TEAMS_BYTES = 20_000
"""Teams takes 28 KB, what it wraps a card in included
(https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook)."""

Paragraph = Sequence[tuple[str, str | None]]
"""Texts, each with the address that it leads to."""


def since(entry: Entry) -> str:
    """Since when it is so; of an outcome, only when that was noticed is known."""
    if entry.kind is Kind.OUTCOME:
        return f"found on {day(entry.since)}"
    return f"since {day(entry.since)}{' or longer' if entry.at_least else ''}"


def why(entry: Entry) -> str:
    """The rules' own sentences, and since when."""
    return f"{'; '.join(line(reason) for reason in entry.reasons)} ({since(entry)})"


def cure(entry: Entry) -> str:
    """What takes it out of the next digest."""
    return f"Clears when {'; and when '.join(line(each.replace('_', ' ')) for each in entry.clears)}."


def more(number: int) -> str:
    """What is not shown."""
    return f"… and {number:,} more."


def head(content: Content, by: By) -> str:
    """Whom it is about."""
    if len(content.names) > 3:
        return f"{len(content.names)} {by}s"
    return ", ".join(line(name, 60) for name in content.names) or "Nobody's"


def sections(shown: Shown) -> Iterator[tuple[str, Sequence[Entry | Better], int]]:
    """Title, items and how many more there are, of each part that is not empty."""
    for title, items, left in (
        (STUCK, shown.stuck, shown.more_stuck),
        (OUTCOME, shown.outcome, shown.more_outcome),
        (BETTER, shown.better, shown.more_better),
    ):
        if items or left:
            yield title, items, left


def footnote(content: Content) -> str:
    """What is to be borne in mind."""
    away = ", ".join(content.away)
    told = [f"As of {day(content.as_of)}: nothing was read since."] if content.as_of else []
    told += [f"{away} did not answer the last time: what is said of it may be old."] if away else []
    return " ".join(told)


# Markdown


def markdown(contents: Sequence[Content], by: By, most: int) -> str:
    """For a terminal, a wiki or a file: a section for each."""
    return "\n".join(text for content in contents for text in _markdown(content, by, most)) + "\n"


def _markdown(content: Content, by: By, most: int) -> Iterator[str]:
    yield f"# {plain(head(content, by))}\n"
    for title, items, left in sections(content.shown(most)):
        yield f"## {title}\n"
        yield from (_markdown_item(item, whose=len(content.names) > 1) for item in items)
        yield f"- {more(left)}\n" if left else ""
    if footnote(content):
        yield f"> {plain(footnote(content))}\n"


def _markdown_item(item: Entry | Better, *, whose: bool) -> str:
    key = plain(line(item.key))
    name = f"[{key}](<{_address(item.url)}>)" if item.url else key
    first = f"- {name} {plain(line(item.title))}"
    if isinstance(item, Better):
        return f"{first}: {plain(line(item.now))}"
    owner = f" ({plain(line(item.whose, 60) or 'nobody')})" if whose else ""
    return f"{first}{owner}  \n  {plain(why(item))}  \n  {plain(cure(item))}"


def _address(url: str) -> str:
    """As it may stand in Markdown's brackets."""
    return "".join(letter for letter in url if letter.isprintable() and letter not in " <>\\")


# Mail


def text(content: Content, by: By, most: int, farewell: Sequence[str]) -> str:
    """A mail for those who read no HTML."""
    lines = []
    for title, items, left in sections(content.shown(most)):
        lines += [title.upper(), ""]
        for item in items:
            lines += [*_text_item(item, whose=len(content.names) > 1), ""]
        lines += [more(left), ""] if left else []
    return "\n".join([*lines, *([footnote(content), ""] if footnote(content) else []), *farewell]) + "\n"


def _text_item(item: Entry | Better, *, whose: bool) -> Iterator[str]:
    yield f"{line(item.key)}  {line(item.title)}"
    if isinstance(item, Better):
        yield f"  {line(item.now)}"
    else:
        yield f"  {why(item)}"
        yield f"  {cure(item)}"
        if whose:
            yield f"  {line(item.whose, 60)}"
    if item.url:
        yield f"  {_address(item.url)}"


def html(content: Content, by: By, most: int, farewell: Sequence[str]) -> str:
    """A mail as a page without a network: no picture, no style sheet, nothing that tells who opened it."""
    return _template().render(
        title=content.subject,
        head=head(content, by),
        sections=list(sections(content.shown(most))),
        whose=len(content.names) > 1,
        footnote=footnote(content),
        farewell=farewell,
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"line": line, "why": why, "cure": cure, "more": more}
    return environment.from_string((resources.files("sync.digest") / "mail.html").read_text(encoding="utf-8"))


# Chats


def payload(content: Content, by: By, most: int, chat: Chat) -> Mapping[str, Any]:
    """One message for a chat: as many items as it bears, the others counted."""
    make = _MAKERS[chat]
    too_many = bisect_left(
        range(most), True, key=lambda less: _fits(make(content, by, content.shown(most - less)), chat)
    )
    return make(content, by, content.shown(most - too_many))


def _fits(made: Mapping[str, Any], chat: Chat) -> bool:
    told = json.dumps(made)
    return len(told) <= (_SLACK_LETTERS if chat is Chat.SLACK else _TEAMS_BYTES)


def _item(item: Entry | Better) -> Paragraph:
    name = (f"{line(item.key)} {line(item.title)}", item.url)
    if isinstance(item, Better):
        return [name, (f": {line(item.now)}", None)]
    return [name, (f" ({line(item.whose, 60) or 'nobody'}): {why(item)}. {cure(item)}", None)]


def _slack(content: Content, by: By, shown: Shown) -> Mapping[str, Any]:
    """Blocks of rich text, in which Slack reads no markup and no mention; only `text`, for notices, is escaped."""
    blocks: list[Mapping[str, Any]] = [_slack_head(f"{content.subject} ({head(content, by)})")]
    for title, items, left in sections(shown):
        listed = [_slack_section(_item(item)) for item in items]
        listed += [_slack_section([(more(left), None)])] if left else []
        heading = {"type": "rich_text_section", "elements": [{"type": "text", "text": title, "style": {"bold": True}}]}
        blocks.append(
            {
                "type": "rich_text",
                "elements": [heading, {"type": "rich_text_list", "style": "bullet", "elements": listed}],
            }
        )
    if footnote(content):
        blocks.append({"type": "rich_text", "elements": [_slack_section([(footnote(content), None)])]})
    return {"text": slack_escaped(content.subject), "blocks": blocks}


def _slack_head(text: str) -> Mapping[str, Any]:
    """At most 150 letters (https://docs.slack.dev/reference/block-kit/blocks/header-block)."""
    return {"type": "header", "text": {"type": "plain_text", "text": line(text, 150), "emoji": False}}


def _slack_section(paragraph: Paragraph) -> Mapping[str, Any]:
    elements = [
        {"type": "link", "url": url, "text": text} if url else {"type": "text", "text": text} for text, url in paragraph
    ]
    return {"type": "rich_text_section", "elements": elements}


def slack_escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(content: Content, by: By, shown: Shown) -> Mapping[str, Any]:
    """An Adaptive Card of rich text, in which no Markdown is read
    (https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features)."""
    body = [_teams_block([(f"{content.subject} ({head(content, by)})", None)], size="large", weight="bolder")]
    for title, items, left in sections(shown):
        body.append(_teams_block([(title, None)], weight="bolder"))
        body += [_teams_block([("• ", None), *_item(item)]) for item in items]
        body += [_teams_block([(more(left), None)])] if left else []
    if footnote(content):
        body.append(_teams_block([(footnote(content), None)]))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _teams_block(paragraph: Paragraph, **style: str) -> Mapping[str, Any]:
    runs = []
    for text, url in paragraph:
        opens = {"selectAction": {"type": "Action.OpenUrl", "url": url}} if url else {}
        # {{DATE(…)}} is read in every text of a card
        runs.append({"type": "TextRun", "text": text.replace("{{", "{ {"), **style, **opens})
    return {"type": "RichTextBlock", "inlines": runs}


_MAKERS = {Chat.SLACK: _slack, Chat.TEAMS: _teams}
