r"""Formulas as plain text, for titles and excerpts: `\frac{N+1}{n_t+1/2}` becomes `(N+1)/(n_t+1/2)`."""

import re
import unicodedata

__all__ = ["plain_math"]

# Letters and signs by their LaTeX names, one pair after the other.
_PAIRS = (
    "le:≤ leq:≤ ge:≥ geq:≥ ne:≠ neq:≠ approx:≈ sim:∼ propto:∝ ll:≪ gg:≫ equiv:≡ lesssim:≲ gtrsim:≳ in:∈ notin:∉ "
    "subset:⊂ cup:∪ cap:∩ setminus:∖ emptyset:∅ forall:∀ exists:∃ to:→ rightarrow:→ longrightarrow:→ Rightarrow:⇒ "
    "leftarrow:← mapsto:↦ infty:∞ partial:∂ nabla:∇ sum:∑ prod:∏ int:∫ times:× otimes:⊗ oplus:⊕ odot:⊙ cdot:· pm:± "
    "mp:∓ top:⊤ dagger:† star:* ast:* circ:∘ prime:′ dots:… ldots:… cdots:… vdots:… ell:ℓ hbar:ℏ mid:| parallel:∥ "
    "perp:⊥ square:□ lvert:| rvert:| vert:| lVert:‖ rVert:‖ Vert:‖ |:‖ langle:⟨ rangle:⟩ lfloor:⌊ rfloor:⌋ lceil:⌈ "
    "rceil:⌉ alpha:α beta:β gamma:γ delta:δ epsilon:ε varepsilon:ε zeta:ζ eta:η theta:θ vartheta:θ iota:ι kappa:κ "
    "lambda:λ mu:μ nu:ν xi:ξ omicron:ο pi:π varpi:π rho:ρ varrho:ρ sigma:σ varsigma:σ tau:τ upsilon:υ phi:φ "
    "varphi:φ chi:χ psi:ψ omega:ω Gamma:Γ Delta:Δ Theta:Θ Lambda:Λ Xi:Ξ Pi:Π Sigma:Σ Upsilon:Υ Phi:Φ Psi:Ψ Omega:Ω"
)
_SIGNS = dict(pair.split(":") for pair in _PAIRS.split())
# Commands that change only the look of what follows.
_LOOKS = (
    "left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr limits nolimits displaystyle textstyle "
    "scriptstyle boldsymbol mathbf mathrm mathit mathsf mathcal mathbb mathfrak operatorname text textbf textrm "
    "textit mathop mathrel mathbin bm pmb underbrace"
)
_DROPPED = frozenset(_LOOKS.split())
_ACCENTS = {"bar": "\u0304", "overline": "\u0304", "hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303",
            "widetilde": "\u0303", "dot": "\u0307", "ddot": "\u0308", "vec": "\u20d7"}  # fmt: skip
_SMALL = {"^": dict(zip("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")), "_": dict(zip("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋"))}
_BLANKS = {"quad", "qquad", ",", ";", ":", "!", " ", "\\"}
_RELATIONS = "=<>≤≥≠≈∼∝≪≫≡∈∉⊂→⇒←↦≲≳∪∩×⊗⊕±"
_TOKEN = re.compile(r"\\(?:[a-zA-Z]+|.)|\S|\s+", re.S)


def plain_math(tex):
    r"""Return a formula of LaTeX as one line of Unicode, for readers and for a search index.

    Parameters
    ----------
    tex : str
        What KaTeX accepts. Fractions become slashes, roots ``√``, indices small digits.

    Returns
    -------
    line : str
        Without any backslash; an unknown command is shown by its name.

    Examples
    --------
    >>> plain_math(r"\mathrm{idf}=\ln\frac{N+1}{n_t+\frac12}")
    'idf = ln(N+1)/(n_t+1/2)'
    >>> plain_math(r"\bar\alpha_t^2 \le e^{-\sqrt{2\pi}}")
    'ᾱ_t² ≤ e^(-√(2π))'
    """
    tex = re.sub(r"\\(begin|end)\{[^}]*\}(\{[lcr|]*\})?|\\tag\{[^}]*\}|&+", " ", tex)
    tex = re.sub(r"\\\\(\[[^]]*\])?", r"; ", tex)
    line, _ = _until(None, _TOKEN.findall(tex), 0)
    line = re.sub(rf"\s*([{_RELATIONS}])\s*", r" \1 ", line)
    line = re.sub(r"\s+(?=[.,;)\]]|$)|(?<=[(\[|‖])\s+|\s+(?=\s)", "", line)
    return line.strip()


def _until(stop, tokens, i):
    """Return the text of ``tokens[i:]`` up to a closing token, and the place behind it."""
    text, word = "", False  # a word like ln keeps its distance from what follows
    while i < len(tokens) and tokens[i] != stop:
        mark = tokens[i]
        part, i = _script(tokens, i) if mark in _SMALL else _piece(tokens, i)
        text += " " + part if word and mark not in _SMALL and part[:1].isalnum() else part
        word = word if mark in _SMALL else len(mark) > 2 and part == mark[1:]
    return text, i + 1


def _script(tokens, i):
    """Return an upper or lower index: small digits, or with its mark."""
    mark = tokens[i]
    text, i = _argument(tokens, i + 1)
    small = [_SMALL[mark].get(letter) for letter in text]
    if text and all(small):
        return "".join(small), i
    if text in "⊤†*′∘":
        return text, i
    single = text.isalnum() and (mark == "_" or len(text) == 1)
    return mark + (text if single else f"({text})"), i


def _argument(tokens, i):
    """Return what a command or an index applies to."""
    while i < len(tokens) and tokens[i].isspace():
        i += 1
    return _piece(tokens, i) if i < len(tokens) else ("", i)


def _piece(tokens, i):
    """Return the text of one token with what belongs to it, and the place behind it."""
    token = tokens[i]
    if token == "{":
        return _until("}", tokens, i + 1)
    if token[0] != "\\":
        return {"~": " ", "'": "′", "}": ""}.get(token, " " if token.isspace() else token), i + 1
    name = token[1:]
    if name in ("frac", "tfrac", "dfrac", "binom"):
        above, i = _argument(tokens, i + 1)
        below, i = _argument(tokens, i)
        if name == "binom":
            return f"({above} choose {below})", i
        return f"{_group(above)}/{_group(below)}", i
    if name == "sqrt":
        degree = ""
        if tokens[i + 1 : i + 2] == ["["]:
            degree, i = _until("]", tokens, i + 2)
            i -= 1
        under, i = _argument(tokens, i + 1)
        return f"{degree}√{_group(under)}", i
    if name in _ACCENTS:
        under, i = _argument(tokens, i + 1)
        return unicodedata.normalize("NFC", under + _ACCENTS[name]) if len(under) == 1 else under, i
    if name in _DROPPED:
        if tokens[i + 1 : i + 2] == ["."]:  # \right. is an empty delimiter
            return "", i + 2
        return "", i + 1
    return " " if name in _BLANKS else _SIGNS.get(name, name), i + 1


def _group(text):
    """Return a part of a formula with brackets, unless it is a single thing."""
    text = text.strip()
    return text if re.fullmatch(r"\d+|.[₀-₉]*|._\w|\([^()]*\)|", text) else f"({text})"
