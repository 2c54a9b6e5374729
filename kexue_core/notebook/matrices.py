"""Matrix symbols: sums of words in letters; inverses cancel, traces are free to rotate and to be transposed."""

import sympy as sp

__all__ = ["is_zero_matrix", "matrix_words", "with_plain_traces", "with_summed_traces"]


def matrix_words(expression):
    """Return a matrix expression as a dict from words to coefficients; a word is a tuple of letters.

    A letter is ``(matrix, transposed, inverted)``. Two expressions in matrix symbols are equal if their words are.
    """
    if isinstance(expression, sp.MatAdd | sp.Add):
        return _add(matrix_words(part) for part in expression.args)
    if isinstance(expression, sp.MatMul | sp.Mul):
        scalars = [part for part in expression.args if not getattr(part, "is_Matrix", False)]
        words = {(): with_plain_traces(sp.Mul(*scalars))}
        for part in expression.args:
            if getattr(part, "is_Matrix", False):
                words = _multiply(words, matrix_words(part))
        return words
    if isinstance(expression, sp.Inverse):
        return _inverted(expression.arg)
    if isinstance(expression, sp.MatPow) and expression.exp.is_Integer:
        base = matrix_words(expression.base) if expression.exp > 0 else _inverted(expression.base)
        words = {(): sp.S.One}
        for _ in range(abs(int(expression.exp))):
            words = _multiply(words, base)
        return words
    if isinstance(expression, sp.Transpose):
        return {_turned(word): value for word, value in matrix_words(expression.arg).items()}
    if isinstance(expression, sp.ZeroMatrix):
        return {}
    if isinstance(expression, sp.Identity):
        return {(): sp.S.One}
    return {((expression, False, False),): sp.S.One}


def _inverted(matrix):
    """Return the words of an inverse: of a product of square letters letter by letter, else as a letter of its own."""
    words = matrix_words(matrix)
    if len(words) == 1:
        ((word, value),) = words.items()
        if all(letter[0].is_square for letter in word):
            return {tuple((m, t, not i) for m, t, i in reversed(word)): 1 / value}
    return {((matrix, False, True),): sp.S.One}


def with_plain_traces(expression):
    """Return a scalar with every trace written as a sum of coefficients times traces of one word each."""
    traces = {trace: _trace(trace.arg) for trace in expression.atoms(sp.Trace)}
    return expression.xreplace(traces) if traces else expression


def with_summed_traces(expression):
    """Return a scalar with every trace of a product of matrices written as a sum over entries."""
    return expression.xreplace({trace: _summed(trace) for trace in expression.atoms(sp.Trace)})


def _summed(trace):
    total = sp.S.Zero
    for word, value in matrix_words(trace.arg).items():
        if not word or any(inverted for _, _, inverted in word):
            return trace
        places = [sp.Dummy("i", integer=True, nonnegative=True) for _ in word]
        body, limits = value, []
        for (matrix, transposed, _), row, column in zip(word, places, places[1:] + places[:1]):
            body *= matrix[column, row] if transposed else matrix[row, column]
            limits.append((row, 0, matrix.shape[1 if transposed else 0] - 1))
        total += sp.Sum(body, *limits)
    return total


def is_zero_matrix(expression):
    """Return whether a matrix expression is proved to be zero by its words."""
    words = matrix_words(expression)
    if expression.shape == (1, 1):
        words = _add({min(word, _turned(word), key=str): value} for word, value in words.items())
    return all(sp.simplify(value) == 0 for value in words.values())


def _trace(matrix):
    total = sp.S.Zero
    for word, value in matrix_words(matrix).items():
        if not word:
            total += value * matrix.shape[0]
            continue
        word = _cancelled_round(word)
        if not word:
            total += value * matrix.shape[0]
            continue
        turns = [word[i:] + word[:i] for i in range(len(word))]
        turns += [_turned(turn) for turn in turns]
        total += value * sp.Symbol(f"tr({_spelled(min(turns, key=str))})")
    return total


def _spelled(word):
    """Return a word as it is written: A Bᵀ C⁻¹."""
    names = [(str(m) if m.is_symbol else f"({m})", t, i) for m, t, i in word]
    return " ".join(name + "⁻¹" * i + "ᵀ" * t for name, t, i in names)


def _turned(word):
    return tuple((m, not t, i) for m, t, i in reversed(word))


def _cancelled_round(word):
    """Cancel the last letter against the first, as a trace allows."""
    while len(word) > 1 and _inverse(word[-1], word[0]) and word[0][0].is_square:
        word = word[1:-1]
    return word


def _inverse(one, other):
    return one[0] == other[0] and one[1] == other[1] and one[2] != other[2]


def _multiply(one, other):
    found = {}
    for left, a in one.items():
        for right, b in other.items():
            word = list(left)
            for letter in right:
                if word and _inverse(word[-1], letter):
                    word.pop()
                else:
                    word.append(letter)
            key = _folded(tuple(word))
            found[key] = found.get(key, 0) + a * b
    return {word: value for word, value in found.items() if value != 0}


def _folded(word):
    """Cancel a product that stands beside the inverse of that product."""
    for place, (matrix, transposed, inverted) in enumerate(word):
        if not inverted or matrix.is_symbol:
            continue
        inner = matrix_words(matrix)
        if len(inner) != 1:
            continue
        ((body, value),) = inner.items()
        body = _turned(body) if transposed else body
        size = len(body)
        if value == 1 and size and word[place + 1 : place + 1 + size] == body:
            return _folded(word[:place] + word[place + 1 + size :])
        if value == 1 and size and place >= size and word[place - size : place] == body:
            return _folded(word[: place - size] + word[place + 1 :])
    return word


def _add(parts):
    total = {}
    for part in parts:
        for word, value in part.items():
            total[word] = sp.expand(total.get(word, 0) + value)
    return {word: value for word, value in total.items() if value != 0}
