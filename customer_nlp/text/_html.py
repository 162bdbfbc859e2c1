"""HTML bodies to the text that a reader of the mail would see."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from customer_nlp.text._markers import word_set

__all__ = ["html_to_text"]

#: Deeper quotes get no further ``> ``: their prefixes alone would grow with the square.
_MAX_QUOTE_DEPTH: Final = 12
_MAX_LIST_DEPTH: Final = 8
_BLOCKS: Final = word_set(
    "address article aside body caption center dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form header hgroup html legend li main menu nav ol option section summary "
    "table tbody tfoot thead tr ul"
)
_PARAGRAPHS: Final = word_set("p h1 h2 h3 h4 h5 h6 blockquote pre hr")
_HIDDEN: Final = word_set("head title template svg object applet map datalist")
_VOID: Final = word_set(
    "area base br col embed hr img input link meta param source track wbr basefont"
)
_RAW: Final = ("script", "style", "title", "xml", "noembed", "noframes")
_HIDING: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all"
    r"|font-size\s*:\s*0(?:px|pt)?\s*(?:;|$|!)|max-height\s*:\s*0(?:px)?\s*(?:;|$|!)",
    re.IGNORECASE,
)
_SPACE: Final = re.compile(r"[ \t\n\r\f\v]+")
_RAW_OPENING: Final = re.compile(r"<(" + "|".join(_RAW) + r")(?=[\s/>])", re.IGNORECASE)
_BLANKS: Final = re.compile(r"\n{4,}")
#: Characters that take no room: padding of newsletters, soft hyphens, byte order marks.
_INVISIBLE: Final = {ord(character): None for character in "\u200b\ufeff\u034f\u00ad\u2060\x00"}


def html_to_text(html: str) -> str:
    """Return the text of an HTML mail body, as a reader would see it.

    Parameters
    ----------
    html : str
        Any HTML, however broken.

    Returns
    -------
    str
        Lines for block elements, blank lines between paragraphs, a tab between the cells of a
        table row, ``- `` or numbers before list items, ``> `` before each line of a
        ``blockquote`` (one for each level). Hidden elements, scripts, styles, comments and the
        head are left out; links keep their text only.

    Notes
    -----
    Linear in the size of the input, whatever its nesting.
    """
    collector = _Collector()
    collector.feed(_defused(html))
    collector.close()
    return collector.text()


def _defused(html: str) -> str:
    """Cut out what is not text and what the standard parser reads in quadratic time.

    Comments, declarations and raw elements are found by plain searches, each from where the
    one before ended; every ``<`` that no ``>`` follows becomes text.
    """
    html = _without(html, "<!--", "-->")
    html = _without_raw(html)
    html = _without(html, "<!", ">")
    html = _without(html, "<?", ">")
    last = html.rfind(">")
    if html.find("<", last + 1) >= 0:
        html = html[: last + 1] + html[last + 1 :].replace("<", "&lt;")
    return html


def _without(html: str, opening: str, closing: str) -> str:
    position = html.find(opening)
    if position < 0:
        return html
    kept: list[str] = []
    begin = 0
    while position >= 0:
        end = html.find(closing, position + len(opening))
        if end < 0:
            # Never closed: what follows is shown rather than lost.
            kept.append(html[begin:].replace(opening, "&lt;" + opening[1:]))
            return "".join(kept)
        kept.append(html[begin:position])
        begin = end + len(closing)
        position = html.find(opening, begin)
    kept.append(html[begin:])
    return "".join(kept)


def _without_raw(html: str) -> str:
    """Leave out scripts, styles and the like, with all that stands in them."""
    low = ""
    unclosed: set[str] = set()
    kept: list[str] = []
    begin = 0
    for opening in _RAW_OPENING.finditer(html):
        if opening.start() < begin:
            continue
        if not low:
            # Lower case of ASCII only keeps the offsets.
            low = html.translate(_LOWER)
        name = opening.group(1).lower()
        end = -1 if name in unclosed else low.find(f"</{name}", opening.end())
        if end < 0:
            unclosed.add(name)
            kept.append(html[begin : opening.start()])
            stop = html.find(">", opening.end())
            begin = len(html) if name in ("script", "style") or stop < 0 else stop + 1
            if begin == len(html):
                break
            continue
        stop = html.find(">", end)
        kept.append(html[begin : opening.start()])
        begin = len(html) if stop < 0 else stop + 1
    if not kept:
        return html
    kept.append(html[begin:])
    return "".join(kept)


_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class _Collector(HTMLParser):
    """Gathers lines while the parser walks the tags; keeps counters, not a tree."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[tuple[int, str]] = []  # quote depth, text
        self._parts: list[str] = []
        self._space = False  # a space is due before the next word
        self._gap = False  # a blank line is due before the next line
        self._quotes = 0
        self._pre = 0
        self._lists: list[int] = []  # next number of an ordered list, -1 for bullets
        self._hidden_tag = ""
        self._hidden_depth = 0
        self._cell_line = -1  # number of lines when the open cell began; -1 outside
        self._cell_fresh = False  # nothing of the open cell has come yet
        self._row_joins = False  # the last cell of this row left a line to go on with

    # -- what the parser calls --

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden_tag:
            if tag == self._hidden_tag and tag not in _VOID:
                self._hidden_depth += 1
            elif tag == "body" and self._hidden_tag == "head":
                self._hidden_tag = ""
            return
        if tag == "br":
            self._end_line(always=True)
        elif tag in _HIDDEN or _is_hidden(attrs):
            if tag not in _VOID:
                self._hidden_tag, self._hidden_depth = tag, 1
                if tag in _BLOCKS or tag in _PARAGRAPHS:
                    self._end_block()
        elif tag in _PARAGRAPHS:
            self._open_paragraph(tag, attrs)
        elif tag in ("td", "th"):
            self._open_cell()
        elif tag in _BLOCKS:
            self._open_block(tag)
        elif tag == "img":
            self._picture(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID and tag not in ("p", "div", "td", "th", "li", "blockquote"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden_tag:
            if tag == self._hidden_tag:
                self._hidden_depth -= 1
                if not self._hidden_depth:
                    self._hidden_tag = ""
            return
        if tag in _PARAGRAPHS:
            self._close_paragraph(tag)
        elif tag in ("td", "th"):
            self._close_cell()
        elif tag in _BLOCKS:
            self._end_block()
            if tag in ("ul", "ol", "menu", "dir") and self._lists:
                self._lists.pop()
                self._gap = self._gap or not self._lists
            elif tag in ("tr", "table"):
                self._cell_line, self._row_joins = -1, False

    def handle_data(self, data: str) -> None:
        if self._hidden_tag or not data:
            return
        data = data.translate(_INVISIBLE)
        if self._pre:
            first, *others = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            self._add(first)
            for line in others:
                self._end_line(always=True)
                self._add(line)
            return
        words = _SPACE.sub(" ", data)
        if words in ("", " "):
            self._space = self._space or bool(words)
            return
        if words[0] == " ":
            self._space = True
        self._add(words.strip(" "))
        self._space = words[-1] == " "

    # -- lines --

    def _add(self, text: str) -> None:
        if not text:
            return
        if self._parts and self._space:
            self._parts.append(" ")
        self._space = False
        self._cell_fresh = False
        self._parts.append(text)

    def _end_line(self, *, always: bool = False) -> None:
        self._space = False
        if not self._parts and not always:
            return
        line = "".join(self._parts).replace("\u00a0", " ").rstrip()
        self._parts.clear()
        if self._gap and self._lines and self._lines[-1][1]:
            depth = min(self._quotes, self._lines[-1][0])
            self._lines.append((depth, ""))
        self._gap = False
        self._lines.append((self._quotes, line))

    def _end_block(self) -> None:
        if not self._cell_fresh:
            self._end_line()

    def _open_block(self, tag: str) -> None:
        self._end_block()
        if tag in ("ul", "menu", "dir", "ol"):
            self._gap = self._gap or not self._lists
            self._lists.append(1 if tag == "ol" else -1)
        elif tag == "li":
            self._open_item()
        elif tag == "tr":
            self._cell_line, self._row_joins = -1, False

    def _open_item(self) -> None:
        depth = min(len(self._lists), _MAX_LIST_DEPTH)
        number = self._lists[-1] if self._lists else -1
        self._parts.append("  " * (depth - 1))
        if number < 0:
            self._parts.append("- ")
        else:
            self._parts.append(f"{number}. ")
            self._lists[-1] += 1

    def _open_paragraph(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fresh = self._cell_fresh
        self._end_block()
        if not fresh and not (tag == "p" and _is_tight(attrs)):
            self._gap = True
        if tag == "blockquote":
            self._quotes = self._quotes + 1
        elif tag == "pre":
            self._pre += 1

    def _close_paragraph(self, tag: str) -> None:
        self._end_block()
        if tag == "blockquote":
            self._quotes = max(0, self._quotes - 1)
            self._gap = True
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)
            self._gap = True
        elif self._cell_line < 0 and tag != "p":
            self._gap = True

    # -- tables --

    def _open_cell(self) -> None:
        if self._row_joins and not self._parts and self._lines:
            depth, line = self._lines[-1]
            if depth == self._quotes:
                self._lines.pop()
                self._parts.append(line + "\t")
        elif self._parts:
            self._parts.append("\t")
        self._space = False
        self._cell_line = len(self._lines)
        self._cell_fresh = True
        self._row_joins = False

    def _close_cell(self) -> None:
        if self._cell_fresh:
            self._cell_fresh = False
            return
        self._end_line()
        self._gap = False
        if self._cell_line < 0:
            return
        held = sum(1 for _, line in self._lines[self._cell_line :] if line)
        self._row_joins = held == 1 and bool(self._lines[-1][1])

    # -- the rest --

    def _picture(self, attrs: list[tuple[str, str | None]]) -> None:
        """Show the emoji that webmail sends as a picture; other pictures have no text."""
        for name, value in attrs:
            if name != "alt" or not value or len(value) > 8 or value.isascii():
                continue
            if not any(character.isalnum() for character in value):
                self._add(value)

    def text(self) -> str:
        """Return all lines, with their quote prefixes."""
        self._cell_fresh = False
        self._end_line()
        rows = []
        for depth, line in self._lines:
            prefix = "> " * min(depth, _MAX_QUOTE_DEPTH)
            rows.append((prefix + line) if line else prefix.rstrip())
        return _BLANKS.sub("\n\n\n", "\n".join(rows)).strip("\n")


def _is_tight(attrs: list[tuple[str, str | None]]) -> bool:
    """Tell a paragraph without margins: Outlook's lines."""
    for name, value in attrs:
        if name == "class" and value and value.lower().startswith("mso"):
            return True
        if name == "style" and value:
            low = value.lower().replace(" ", "")
            if "margin:0" in low or "margin-bottom:0" in low:
                return True
    return False


def _is_hidden(attrs: list[tuple[str, str | None]]) -> bool:
    for name, value in attrs:
        if name == "hidden":
            return True
        if name == "style" and value and _HIDING.search(value[:2000]):
            return True
    return False
