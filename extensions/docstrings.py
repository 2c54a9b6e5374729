"""Docstrings in the numpydoc form as nodes of a page. Formulas stay what they are in the source: plain text."""

import re

from docutils import nodes

__all__ = ["render"]

SECTIONS = {"Parameters", "Other Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "Notes"}
SECTIONS |= {"See Also", "References", "Examples"}
TERMS = {"Parameters", "Other Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "See Also"}
INLINE = re.compile(
    r"``(?P<code>.+?)``|`(?P<name>[^`]+)`|(?P<article>(?:https?://)?kexue\.fm/archives/\d+)"
    r"|arXiv:(?P<paper>\d{4}\.\d{4,5})|(?P<url>https?://[^\s,;)]+[^\s,;.)])|\*(?P<emphasis>[^*\s][^*]*)\*",
    re.S,
)


def render(text):
    """Return the nodes of a docstring that `inspect.cleandoc` has cleaned."""
    found = []
    for title, lines in sections(text.splitlines()):
        if title:
            found.append(nodes.paragraph("", "", nodes.strong("", title), classes=["kx-api-part"]))
        found += terms(lines) if title in TERMS else blocks(lines)
    return found


def sections(lines):
    """Yield the parts of a docstring, each a heading (at first ``""``) and its lines."""
    title, body = "", []
    for number, line in enumerate(lines):
        if line.strip() in SECTIONS and number + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[number + 1].strip()):
            yield title, body
            title, body = line.strip(), []
        elif not (title and not body and re.fullmatch(r"-{3,}", line.strip())):
            body.append(line)
    yield title, body


def terms(lines):
    """Return a definition list: what stands at the margin, and what stands indented below it."""
    found = nodes.definition_list(classes=["kx-api-terms"])
    for head, body in groups(lines):
        name, colon, kind = head.partition(" : ")
        term = nodes.term("", "", nodes.literal("", name))
        if colon:
            term += [nodes.Text(" "), nodes.emphasis("", "", *inline(kind))]
        found += nodes.definition_list_item("", term, nodes.definition("", *blocks(body)))
    return [found] if found.children else []


def groups(lines):
    """Yield each line at the margin with the indented lines that follow it."""
    head, body = None, []
    for line in lines:
        if line and not line[0].isspace():
            if head is not None:
                yield head, dedent(body)
            head, body = line, []
        else:
            body.append(line)
    if head is not None:
        yield head, dedent(body)


def dedent(lines):
    """Return the lines without the indentation that they share."""
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines]


def blocks(lines):
    """Return paragraphs, lists, examples and literal blocks."""
    found, literal = [], False
    for block in chunks(lines):
        text = "\n".join(block)
        if literal and block[0][:1].isspace():
            found.append(code("\n".join(dedent(block)), "text"))
            continue
        literal = False
        if block[0].startswith(">>> "):
            found.append(code(text, "pycon"))
        elif block[0].startswith("- "):
            entries = re.split(r"\n(?=- )", text)
            items = [nodes.list_item("", nodes.paragraph("", "", *inline(item[2:]))) for item in entries]
            found.append(nodes.bullet_list("", *items, bullet="-"))
        else:
            text = re.sub(r"^\.\. \[(\d+)\] ", "", text)
            if text.endswith("::"):
                literal, text = True, text[:-2].rstrip() + ("" if text[:-2].endswith((" ", "\n")) else ":")
            if text.strip(" :"):
                found.append(nodes.paragraph("", "", *inline(text)))
    return found


def chunks(lines):
    """Yield what stands between empty lines; a list and each reference begin anew."""
    block = []
    for line in lines:
        begins = line.startswith(".. [") or (line.startswith("- ") and block and not block[0].startswith("- "))
        if block and (begins or not line.strip()):
            yield block
            block = []
        if line.strip():
            block.append(line)
    if block:
        yield block


def code(text, language):
    """Return a block of code."""
    return nodes.literal_block(text, text, language=language)


def inline(text):
    """Return the nodes of a line: code, names, emphasis, and links to articles and papers."""
    found, end, text = [], 0, " ".join(text.split())
    for match in INLINE.finditer(text):
        if match.start() > end:
            found.append(nodes.Text(text[end : match.start()]))
        end = match.end()
        if match["code"] or match["name"]:
            found.append(nodes.literal("", match["code"] or match["name"]))
        elif match["emphasis"]:
            found.append(nodes.emphasis("", match["emphasis"]))
        else:
            address = match["url"] or (match["article"] and "https://" + match["article"].removeprefix("https://"))
            address = address or f"https://arxiv.org/abs/{match['paper']}"
            found.append(nodes.reference("", match[0], refuri=address))
    return [*found, nodes.Text(text[end:])] if end < len(text) else found
