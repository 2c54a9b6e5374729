"""Where the launch buttons lead, as text; what Binder's image is made of; a branch that moves only if it must."""

import os
import re
import subprocess
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from support import SITE

from extensions import chapters, launch


def branch_url(text, start):
    return unescape(re.search(rf'href="({re.escape(start)}[^"]*)"', text)[1])


@pytest.mark.parametrize("slug", chapters.slugs())
def test_the_buttons_of_a_chapter_lead_to_branches_of_their_own(slug):
    text = (SITE / "chapters" / f"{slug}.html").read_text()
    url = urlsplit(branch_url(text, "https://mybinder.org/"))
    assert url.path == "/v2/gh/kexue-book/kexue-book/binder"
    pull = urlsplit(parse_qs(url.query)["urlpath"][0])
    assert pull.path == "git-pull"
    assert parse_qs(pull.query) == {
        "repo": ["https://github.com/kexue-book/kexue-book"],
        "branch": ["main"],
        "urlpath": [f"lab/tree/kexue-book/chapters/{slug}.ipynb"],
    }
    colab = branch_url(text, "https://colab.research.google.com/")
    assert colab.endswith(f"/github/kexue-book/kexue-book/blob/colab/chapters/{slug}.ipynb")


def test_the_image_holds_the_environment_and_nothing_of_the_book(tmp_path, capsys):
    launch.main(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "requirements.txt", "runtime.txt", "start"]
    packages = (tmp_path / "requirements.txt").read_text().split()
    assert "-e" not in packages
    own = (chapters.ROOT / "requirements.txt").read_text().splitlines()
    pinned = [line for line in (tmp_path / "requirements.txt").read_text().splitlines() if line not in own]
    assert pinned == [launch.PULLER]
    assert re.fullmatch(r"nbgitpuller==[\d.]+", launch.PULLER)


def test_the_image_starts_what_it_is_told_with_the_library_in_reach(tmp_path, capsys):
    launch.main(tmp_path)
    command = [tmp_path / "start", "python3", "-c", "import sys; print(sys.path[1], sys.argv[1])", "a b"]
    told = subprocess.run(command, env={**os.environ, "HOME": "/home/x"}, capture_output=True, text=True, check=True)
    assert told.stdout == "/home/x/kexue-book a b\n"


def test_a_branch_moves_only_if_its_content_does(tmp_path):
    remote = tmp_path / "remote"
    subprocess.run(["git", "init", "-q", "--bare", remote], check=True)

    def publish(number, text):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "requirements.txt").write_text(text)
        script = chapters.ROOT / ".ci" / "publish"
        subprocess.run([script, folder, "binder", remote, f"no {number}"], check=True, capture_output=True)
        head = subprocess.run(["git", "-C", remote, "rev-parse", "binder"], check=True, capture_output=True)
        return head.stdout

    first = publish(1, "a")
    assert publish(2, "a") == first
    assert publish(3, "b") != first


def test_the_workflow_keeps_both_branches():
    workflow = yaml.safe_load((chapters.ROOT / ".github" / "workflows" / "book.yml").read_text())
    steps = "\n".join(step.get("run", "") for step in workflow["jobs"]["publish"]["steps"])
    for module, branch in (("colab", launch.COLAB_BRANCH), ("launch", launch.BINDER_BRANCH)):
        assert f'python -m extensions.{module} "$RUNNER_TEMP/{branch}"' in steps
    assert '.ci/publish "$RUNNER_TEMP/$branch" "$branch"' in steps
    test = workflow["jobs"]["test"]["steps"][0]
    assert test["with"]["fetch-depth"] == 0  # a shallow clone knows no dates
