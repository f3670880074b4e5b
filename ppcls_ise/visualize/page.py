"""The pieces of ``report.html`` as text: no script, no other file, no network."""
from __future__ import annotations

import math
import pathlib
from html import escape
from typing import NamedTuple

from ..files import replacing
from .charts import group_colour
from .pictures import data_uri

__all__ = ["Match", "Member", "Query", "cards", "chart_panel", "grid", "heading", "page", "panel", "rank_list_row",
           "section", "sheet_row", "shown", "table", "text", "write"]


def page(title: str, subtitle: str, sections: list[str]) -> str:
    """A whole HTML document that takes light or dark from the reader's system."""
    style = (pathlib.Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title)}</title><style>{style}</style></head>\n<body><main><header><h1>{escape(title)}</h1>"
            f'<p class="soft">{escape(subtitle)}</p></header>\n' + "\n".join(sections) + "\n</main></body></html>\n")


def write(path: str, text: str) -> None:
    """Write a page or a picture in place of an older one."""
    # A folder of the run may have a name that is no UTF-8.
    with replacing(path) as new, open(new, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)


def section(title: str, words: str, *parts: str) -> str:
    """A heading, what is to be seen, and it."""
    return f"<section><h2>{escape(title)}</h2>{text(words)}\n" + "\n".join(parts) + "</section>"


def text(words: str) -> str:
    """A paragraph."""
    return f'<p class="soft">{escape(words)}</p>'


def heading(title: str, words: str) -> str:
    """A heading within a section."""
    return f"<h3>{escape(title)}</h3>" + text(words)


def cards(figures: dict[str, str]) -> str:
    """Key figures, name -> shown value."""
    return '<div class="cards">' + "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for name, value in figures.items()) + "</div>"


def chart_panel(title: str, svg: str, names: list[str]) -> str:
    """A chart with its legend."""
    legend = "".join(f'<span><i style="background:var(--c{number % 5})"></i>{escape(name)}</span>'
                     for number, name in enumerate(names))
    return f'<div class="panel"><h3>{escape(title)}</h3>{svg}<div class="legend">{legend}</div></div>'


def panel(title: str, words: str, svg: str) -> str:
    """A picture with a line on it."""
    return f'<div class="panel"><h3>{escape(title)}</h3>{svg}<div class="legend">{escape(words)}</div></div>'


def grid(parts: list[str], wide: bool = False) -> str:
    """Panels side by side as far as the screen goes."""
    return f'<div class="grid{" wide" if wide else ""}">' + "".join(parts) + "</div>"


def table(columns: list[str], rows: list[dict]) -> str:
    """Figures, a row per line; the table scrolls in itself where the screen is narrow."""
    head = "".join(f"<th>{escape(column.replace('_', ' '))}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{shown(row.get(column))}</td>" for column in columns) + "</tr>"
                   for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def shown(value: object) -> str:
    """A figure as text: counts whole, fractions to three places, nothing for nothing."""
    if value is None or isinstance(value, float) and math.isnan(value):
        return ""
    if isinstance(value, str):
        return escape(value)
    number = float(value)  # type: ignore[arg-type]  # a number, if not a text
    return f"{number:g}" if number.is_integer() else f"{number:.3f}" if abs(number) >= 0.001 else f"{number:.2g}"


class Query(NamedTuple):
    """The query of a rank list."""

    path: str
    pid: int
    camera: str  #: in a caption, empty where it is not known
    ap: float


class Match(NamedTuple):
    """A gallery image in a rank list."""

    path: str
    camera: str
    similarity: float  #: cosine
    right: bool  #: of the query's identity


class Member(NamedTuple):
    """An image on a contact sheet."""

    path: str
    group: int  #: images of one group have one colour; negative: of none
    caption: str


def rank_list_row(query: Query, matches: list[Match]) -> str:
    """A query and its best matches, best first."""
    first = _tile(query.path, "query", f"query {escape(query.camera)}<br>AP {query.ap:.2f}",
                  f"query, identity {query.pid}")
    results = [_tile(match.path, "good" if match.right else "bad",
                     f"<b>{'✓' if match.right else '✗'}</b> {match.similarity:.2f} {escape(match.camera)}",
                     f"rank {rank}, {'the same person' if match.right else 'another person'}")
               for rank, match in enumerate(matches, 1)]
    return f'<div class="row">{first}<div class="tiles">{"".join(results)}</div></div>'


def sheet_row(title: str, members: list[Member]) -> str:
    """A contact sheet."""
    tiles = "".join(_tile(member.path, "", escape(member.caption), member.caption,
                          group_colour(member.group) if member.group >= 0 else "") for member in members)
    return f'<p class="sheet">{escape(title)}</p><div class="tiles">{tiles}</div>'


def _tile(path: str, kind: str, caption: str, alt: str, colour: str = "") -> str:
    style = f' style="--f:{colour}"' if colour else ""
    return (f'<figure class="{kind}"{style}><img src="{data_uri(path)}" alt="{escape(alt)}" loading="lazy">'
            f"<figcaption>{caption}</figcaption></figure>")
