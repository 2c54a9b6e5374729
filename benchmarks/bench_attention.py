"""Maps to the simplex, and attention in blocks, against SciPy, bare numpy, entmax and torch; the normal law."""

import tracemalloc

import numpy as np
import scipy.special
from _measure import compare, growth, package

from kexue_core import special
from kexue_core.attention import (
    attention_matrix,
    entmax,
    entmax_loss,
    grad_top_k,
    logsumexp,
    perturb_max,
    softmax,
    sparse_softmax,
    sparsemax,
    streaming_attention,
    support_size,
    threshold_top_k,
    top_k_mask,
)

CALLS = "the number of calls of numpy decides, not that of the scores"
SORTS = "sorts, where the peer only adds"
LOOPS = "numpy only: a C function of SciPy does in one pass what takes thirty here"


def softmax_of_the_largest(x, k):
    """Return sparse softmax by a partial sort, ties left to chance."""
    kept = np.argpartition(x, -k, axis=-1)[..., -k:]
    values = np.take_along_axis(x, kept, -1)
    e = np.exp(values - values.max(-1, keepdims=True))
    p = np.zeros_like(x)
    np.put_along_axis(p, kept, e / e.sum(-1, keepdims=True), -1)
    return p


def largest(x, k):
    """Return the mask of the k largest by a partial sort, ties left to chance."""
    mask = np.zeros(x.shape, bool)
    np.put_along_axis(mask, np.argpartition(x, -k, -1)[..., -k:], True, -1)
    return mask


def sparsemax_row(x):
    """Return sparsemax of one vector, by the definition."""
    z = np.sort(x)[::-1]
    bound = (np.cumsum(z) - 1) / np.arange(1, len(z) + 1)
    return np.maximum(x - bound[np.flatnonzero(z > bound)[-1]], 0)


def noisy_argmax(x, nodes=400):
    """Return the law of the argmax under normal noise, all nodes in one broadcast."""
    end = 10 + np.log(x.shape[-1])
    z = -20 + (end + 20) * (np.arange(nodes) + 0.5) / nodes - (x - x.max(-1, keepdims=True))[..., None]
    below = scipy.special.log_ndtr(z)
    p = np.exp(-z * z / 2 + below.sum(-2, keepdims=True) - below).sum(-1)
    return p / p.sum(-1, keepdims=True)


LINKS = {
    "sigmoid": scipy.special.expit,
    "laplace": lambda v: np.where(v < 0, np.exp(np.minimum(v, 0)) / 2, 1 - np.exp(-np.maximum(v, 0)) / 2),
    "minexp": lambda v: np.exp(np.minimum(v, 0)),
    "clip": lambda v: np.clip(v, 0, 1),
}


def bisected(x, k, link):
    """Return f(x - lambda) of one vector, lambda by 60 halvings of an interval that holds it."""
    low, high = x.min() - 40, x.max() + 40
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if LINKS[link](x - middle).sum() > k else (low, middle)
    return LINKS[link](x - low)


def subset_recursion(x, k):
    """Return the inclusion probabilities by Z_(k,i) = w_i (Z_(k-1) - Z_(k-1,i)), which is right for small k only."""
    w = np.exp(x - x.max(-1, keepdims=True))
    z = w
    for j in range(2, k + 1):
        z = w * (z.sum(-1, keepdims=True) / (j - 1) - z)
    return z * k / z.sum(-1, keepdims=True)


def dense_attention(queries, keys, values, mask):
    """Return attention by one product, one softmax of all n x n logits in place, and another product."""
    logits = queries @ keys.T / queries.shape[-1] ** 0.5
    if mask == "causal":
        logits[~np.tri(len(logits), dtype=bool)] = -np.inf
    logits -= logits.max(-1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(-1, keepdims=True)
    return logits @ values


def peak(function):
    """Return the megabytes that a call takes beyond what was there, at their most."""
    tracemalloc.start()
    function()
    most = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return f"peak {most:.0f} MB"


def attention_in_blocks(rng, torch):
    """Print streaming attention against the dense product over lengths, block sizes and masks."""
    for n in (64, 256, 1024, 4096, 8192):
        q, k, v = rng.standard_normal((3, n, 64))
        for mask in ("full", "causal"):
            for block in (64, 256, 1024) if n == 4096 else (256,):

                def streamed(mask=mask, block=block):
                    return streaming_attention(q, k, v, mask=mask, block=block)

                def dense(mask=mask):
                    return dense_attention(q, k, v, mask)

                note = f"{peak(streamed)}, dense {peak(dense)}"
                compare(f"streaming_attention {mask}, block {block} | dense", f"n={n}", streamed, dense, note=note)
            if n == 4096:
                compare(
                    f"streaming_attention {mask}, block 256 | attention_matrix @ v",
                    f"n={n}",
                    lambda mask=mask: streaming_attention(q, k, v, mask=mask),
                    lambda mask=mask: attention_matrix(q, k, mask=mask) @ v,
                )
            if torch:
                t = [torch.from_numpy(part)[None, None] for part in (q, k, v)]
                attend = torch.nn.functional.scaled_dot_product_attention
                compare(
                    f"streaming_attention {mask}, block 256 | torch",
                    f"n={n}",
                    lambda mask=mask: streaming_attention(q, k, v, mask=mask),
                    lambda mask=mask: attend(*t, is_causal=mask == "causal")[0, 0],
                )


def top_k_growth(rng):
    """Print how the time of the smooth top-k grows with the number of scores, and with k."""
    x = rng.standard_normal(10**6) * 2
    expected = 1 + np.log(np.log(10**6) / np.log(10**4)) / np.log(100)
    for link in ("laplace", "minexp", "clip", "sigmoid"):
        exponent = growth(lambda n, link=link: threshold_top_k(x[:n], n // 5, link), (10**4, 10**6))
        print(
            f"  threshold_top_k {link}, n=10^4 to 10^6: n^{exponent:.2f}; n log n would be n^{expected:.2f}", flush=True
        )
    in_n = growth(lambda n: grad_top_k(x[:n], 16), (1000, 64_000))
    in_k = growth(lambda k: grad_top_k(x[:4000], k), (256, 2048))
    print(f"  grad_top_k: n^{in_n:.2f} from n=1000 to 64000 at k=16, k^{in_k:.2f} from k=256 to 2048 at n=4000")


def main():
    """Print the ratios over shapes."""
    rng = np.random.default_rng(0)
    torch, peer = package("torch"), package("entmax")
    attention_in_blocks(np.random.default_rng(10017), torch)
    for shape in [(16,), (1, 1000), (256, 256), (64, 32000), (1000, 1000)]:
        x, size = rng.standard_normal(shape) * 2, str(shape)
        small = "a few microseconds of checks" if x.size < 2000 else ""
        compare("softmax | scipy", size, lambda: softmax(x), lambda: scipy.special.softmax(x, axis=-1), note=small)
        compare("logsumexp | scipy", size, lambda: logsumexp(x), lambda: scipy.special.logsumexp(x, axis=-1))
        k = min(8, shape[-1])
        compare(
            "sparse_softmax k=8 | argpartition",
            size,
            lambda: sparse_softmax(x, k),
            lambda: softmax_of_the_largest(x, k),
            note=small,
        )
        compare("top_k_mask k=8 | argpartition", size, lambda: top_k_mask(x, k), lambda: largest(x, k), note=small)
        if x.ndim > 1 and x.size <= 10**6:
            compare(
                "sparsemax | loop over rows",
                size,
                lambda: sparsemax(x),
                lambda: np.array([sparsemax_row(row) for row in x]),
            )
        if torch and peer:
            t = torch.from_numpy(x)
            compare("softmax | torch", size, lambda: softmax(x), lambda: torch.softmax(t, -1))
            compare("sparsemax | entmax", size, lambda: sparsemax(x), lambda: peer.sparsemax(t, dim=-1))
            compare("entmax 1.5 | entmax", size, lambda: entmax(x), lambda: peer.entmax15(t, dim=-1))
            compare(
                "entmax 1.25 | entmax_bisect",
                size,
                lambda: entmax(x, 1.25),
                lambda: peer.entmax_bisect(t, 1.25, dim=-1),
            )
            compare(
                "support_size | entmax15 > 0", size, lambda: support_size(x), lambda: (peer.entmax15(t, -1) > 0).sum(-1)
            )
            if x.ndim > 1:
                compare(
                    "threshold_top_k clip k=8 | budget_bisect",
                    size,
                    lambda: threshold_top_k(x, k, "clip"),
                    lambda: peer.budget_bisect(t, budget=k, dim=-1),
                )
                targets = np.zeros(shape[0], int)
                compare(
                    "entmax_loss | entmax15_loss",
                    size,
                    lambda: entmax_loss(x, targets),
                    lambda: peer.entmax15_loss(t, torch.from_numpy(targets)),
                )
    for n in (10, 100, 1000):
        x = rng.standard_normal((16, n))
        compare(
            "grad_top_k k=4 | recursion with subtraction",
            f"(16, {n})",
            lambda: grad_top_k(x, 4),
            lambda: subset_recursion(x, 4),
            note="logarithms: exact for any k and spread",
        )
    for n in (100, 10_000, 1_000_000):
        x = rng.standard_normal(n) * 2
        for link in ("laplace", "minexp", "clip", "sigmoid"):
            compare(
                f"threshold_top_k {link} | 60 bisections",
                str(n),
                lambda link=link: threshold_top_k(x, n // 5, link),
                lambda link=link: bisected(x, n // 5, link),
                note=CALLS if n == 100 else SORTS if link == "clip" else "",
            )
    top_k_growth(np.random.default_rng(10373))
    for n in (10, 1000):
        x = rng.standard_normal((16, n))
        compare(
            "perturb_max normal | log_ndtr, one broadcast",
            f"(16, {n})",
            lambda: perturb_max(x),
            lambda: noisy_argmax(x),
            note=LOOPS if n == 10 else "",
        )
    for n in (1, 1000, 100_000):
        s, t, c = rng.standard_normal(n) * 5, rng.uniform(0, 1, n), rng.uniform(0.01, 50, n)
        compare("normal_cdf | ndtr", str(n), lambda: special.normal_cdf(s), lambda: scipy.special.ndtr(s), note=LOOPS)
        compare(
            "normal_quantile | ndtri",
            str(n),
            lambda: special.normal_quantile(t),
            lambda: scipy.special.ndtri(t),
            note=LOOPS,
        )
        compare(
            "cosine_integral | sici",
            str(n),
            lambda: special.cosine_integral(c),
            lambda: scipy.special.sici(c)[1],
            note=LOOPS,
        )


if __name__ == "__main__":
    main()
