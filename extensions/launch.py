"""The launch buttons: Binder and Colab start from branches of their own, which the workflow keeps.

Binder builds an image for every commit of the branch that it starts from. The branch `binder` holds only what the image
is made of, so a change of prose builds none; nbgitpuller brings chapters and library when the image starts. Colab opens
a notebook alone; those on the branch `colab` begin with a cell that installs the library.

`python -m extensions.launch FOLDER` writes what belongs on the branch `binder`.
"""

import sys
from pathlib import Path
from urllib.parse import quote

import yaml

from extensions import chapters

BINDER_BRANCH, COLAB_BRANCH = "binder", "colab"
PULLER = "nbgitpuller==1.3.0"
START = """\
#!/bin/bash
# The library is imported from where nbgitpuller puts the repository.
export PYTHONPATH="$HOME/{folder}"
exec "$@"
"""


def setup(app):
    """Rewrite the buttons of every page."""
    app.connect("html-page-context", rewrite, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def rewrite(app, pagename, templatename, context, doctree):
    """Put our addresses in the place of the theme's."""
    options = app.config.html_theme_options
    repository, branch = options.get("repository_url", ""), options.get("repository_branch", "main")
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            url = button.get("url") or ""
            if "/v2/gh/" in url:
                path = app.env.doc2path(pagename, base=False)
                button["url"] = binder(options["launch_buttons"]["binderhub_url"], repository, branch, str(path))
            elif "colab" in url:
                button["url"] = url.replace(f"/blob/{branch}/", f"/blob/{COLAB_BRANCH}/")
                button["icon"] = "_static/colab.svg"


def binder(hub, repository, branch, path):
    """Return the address that starts JupyterLab with a file of the repository.

    Examples
    --------
    >>> print(binder("https://mybinder.org", "https://github.com/a/b", "main", "c/d.ipynb").replace("?", chr(10)))
    https://mybinder.org/v2/gh/a/b/binder
    urlpath=git-pull%3Frepo%3Dhttps%253A%252F%252Fgithub.com%252Fa%252Fb%26branch%3Dmain%26urlpath%3Dlab%252Ftree%252Fb%252Fc%252Fd.ipynb
    """
    owner_and_name = repository.removeprefix("https://github.com/")
    file = f"lab/tree/{repository.rpartition('/')[2]}/{path}"
    pull = f"git-pull?repo={quote(repository, safe='')}&branch={quote(branch, safe='')}&urlpath={quote(file, safe='')}"
    return f"{hub}/v2/gh/{owner_and_name}/{BINDER_BRANCH}?urlpath={quote(pull, safe='')}"


def image():
    """Return what Binder's image is made of: file name -> text."""
    repository = yaml.safe_load((chapters.ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"]
    packages = (chapters.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {
        "requirements.txt": "\n".join([*(line for line in packages if line != "-e ."), PULLER, ""]),
        "runtime.txt": (chapters.ROOT / "runtime.txt").read_text(encoding="utf-8"),
        "start": START.format(folder=repository.rpartition("/")[2]),
        "README.md": f"The environment of {repository} for Binder, kept by its workflow. Change nothing here.\n",
    }


def main(folder):
    """Write the files of the branch `binder`."""
    for name, text in image().items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if name == "start" else 0o644)
        print(path)


if __name__ == "__main__":
    main(sys.argv[1])
