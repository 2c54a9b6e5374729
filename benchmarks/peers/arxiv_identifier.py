"""Which texts arXiv's own package takes for ids, for the chapter `papers_redirect`.

    pip install arxiv-base==0.17.8
    python benchmarks/peers/arxiv_identifier.py

prints the version and 1 or 0 for each text. The call is `arxiv.identifier.parse_arxiv_id(text)`.
"""

from importlib.metadata import version

from arxiv.identifier import parse_arxiv_id

TEXTS = """
2402.12354 2402.12354v2 arXiv:2402.12354 hep-th/9901001 math.GT/0309136 0704.0001 2402.123456 xyz/9901001
1513.00001 1501.0001 1412.78780 2402.12354v0 0703.0001 0704.0000 hep-th/0712001
"""


def accepted(text):
    """Return 1 if the package returns an id, else 0."""
    try:
        return int(bool(parse_arxiv_id(text)))
    except ValueError:
        return 0


if __name__ == "__main__":
    print("arxiv-base", version("arxiv-base"))
    for text in TEXTS.split():
        print(f"{text:20s} {accepted(text)}")
