"""The page for an address that is not there, shown at any depth: it loads nothing and links by full address."""

from html import escape
from pathlib import Path

from extensions import chapters

HERE = Path(__file__).parent
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Not found – {title}</title>
<style>
:root {{ color-scheme: light dark; }}
[data-theme="light"] {{ color-scheme: light; }}
[data-theme="dark"] {{ color-scheme: dark; }}
html {{ color: light-dark(#222, #e8e8e8); background: light-dark(#fff, #121212); }}
body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto 2rem; padding: 0 1.2rem; }}
svg {{ width: 4rem; }}
h1 {{ font-weight: 500; line-height: 1.25; margin: 1rem 0; }}
a {{ color: light-dark(#0b5a8a, #7cc4f0); }}
input, button {{ font: inherit; max-width: 100%; }}
</style>
<script>
// The colours that the reader has chosen in the book.
const dark = matchMedia("(prefers-color-scheme: dark)");
const choose = () => {{
  let mode = "auto";
  try {{
    mode = localStorage.getItem("mode") || mode;
  }} catch {{}} // no store
  document.documentElement.dataset.theme = mode !== "auto" ? mode : dark.matches ? "dark" : "light";
}};
dark.addEventListener("change", choose);
choose();
</script>
</head>
<body><main>
{logo}
<h1>This page is not in the book</h1>
<p>The address may be old, or mistyped. These will help:</p>
<form action="{search}">
<input type="search" name="q" aria-label="Search the book"> <button>Search</button>
</form>
<ul>
{links}
</ul>
</main></body>
</html>
"""


def setup(app):
    """Write the page when the book is built."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(app, exception):
    """Write ``404.html``, the name under which GitHub Pages looks for it."""
    if exception is not None or app.builder.format != "html" or "epub" in app.builder.name:
        return
    names = [app.config.root_doc, "chapters/search"]
    names += [f"chapters/{slug}" for slug in chapters.slugs()]
    links = [
        f'<li><a href="{app.config.html_baseurl}{app.builder.get_target_uri(name)}">'
        f"{escape(app.env.titles[name].astext())}</a></li>"
        for name in names
        if name in app.env.titles
    ]
    logo = (HERE / "static" / "favicon.svg").read_text(encoding="utf-8").replace("<svg ", '<svg aria-hidden="true" ')
    search = app.config.html_baseurl + app.builder.get_target_uri("chapters/search")
    title = escape(app.config.html_title)
    page = PAGE.format(title=title, logo=logo.strip(), search=search, links="\n".join(links))
    (Path(app.outdir) / "404.html").write_text(page, encoding="utf-8")
