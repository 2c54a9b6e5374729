"""Rotation against bare numpy and torch, coherence against direct cosines, the smallest base against brute force."""

import numpy as np
from _measure import compare, package

from kexue_core.positions import min_base, rope_coherence_range, rope_frequencies, rotate


def rotate_slices(x, positions, theta):
    """Return RoPE by even and odd slices."""
    angle = np.asarray(positions)[..., None] * theta
    cos, sin, y = np.cos(angle), np.sin(angle), np.empty_like(x)
    y[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
    y[..., 1::2] = x[..., 0::2] * sin + x[..., 1::2] * cos
    return y


def rotate_complex(x, positions, theta):
    """Return RoPE by complex numbers."""
    return (x.view(complex) * np.exp(1j * (np.asarray(positions)[..., None] * theta))).view(float)


def brute_force(L, d, rounds=3):
    """Return the article's search: the smallest admissible of 10^k points up to the last one found."""
    s, m, b = np.arange(0, d, 2) / d, np.arange(L)[:, None], 1000.0 * L
    for k in range(1, rounds + 1):
        for c in np.linspace(0, 1, 10**k + 1)[1:] * b:
            if c > 1 and np.cos(m * c**-s).sum(-1).min() >= 0:
                b = c
                break
    return b


def main():
    """Print the ratios over shapes and lengths."""
    rng = np.random.default_rng(0)
    torch = package("torch")
    for shape in [(128,), (1024, 64), (16, 1024, 128)]:
        x, theta = rng.standard_normal(shape), rope_frequencies(shape[-1])
        positions = np.arange(shape[-2]) if len(shape) > 1 else 5
        small = "four arguments checked" if len(shape) == 1 else ""
        compare(
            "rotate | two slices",
            str(shape),
            lambda: rotate(x, positions, theta),
            lambda: rotate_slices(x, positions, theta),
            note=small,
        )
        compare(
            "rotate | complex view",
            str(shape),
            lambda: rotate(x, positions, theta),
            lambda: rotate_complex(x, positions, theta),
            note=small or "the result is checked: one more pass",
        )
        if torch:
            t, p, f = torch.from_numpy(x), torch.as_tensor(positions), torch.from_numpy(theta)

            def turned(t=t, p=p, f=f):
                angle = p[..., None] * f
                pairs = torch.view_as_complex(t.reshape(*t.shape[:-1], -1, 2))
                return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).flatten(-2)

            compare("rotate | torch complex", str(shape), lambda: rotate(x, positions, theta), turned)
    theta = rope_frequencies(128, 5e5)
    for n in (1000, 30_000, 300_000):
        m = np.arange(n)
        compare(
            "rope_coherence_range | direct cosines",
            str(n),
            lambda: rope_coherence_range(0, n, theta),
            lambda: np.cos(m[:, None] * theta).sum(-1),
        )
    for L in (64, 256):
        compare(
            "min_base | brute force of the article",
            f"L={L}",
            lambda: min_base(L).base,
            lambda: brute_force(L, 128),
            difference=False,
        )
    for L in (2048, 8192, 32768):
        compare(
            "min_base, growth | one direct scan of f",
            f"L={L}",
            lambda: min_base(L).base,
            lambda: np.cos(np.arange(L)[:, None] * theta).sum(-1),
            difference=False,
        )


if __name__ == "__main__":
    main()
