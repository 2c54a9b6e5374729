"""Steps that the coming chapters take: at least one from each of the 26 dossiers, each of them true."""

import sympy as sp
from sympy import Eq, Function, Integral, Max, Min, Ne, Rational, Sum, cos, erf, exp, log, oo, pi, sin, sqrt

from kexue_core.notebook.derivation import Derivation
from kexue_core.notebook.laws import Moments, Normal, Rademacher, Uniform

__all__ = ["TRUE"]

TRUE = []  # pairs (slug of the chapter, function that builds the chain)


def step_of(slug):
    """File a chain under the chapter that needs it."""

    def file(prove):
        TRUE.append((slug, prove))
        return prove

    return file


def positive(names):
    return sp.symbols(names, positive=True)


def real(names):
    return sp.symbols(names, real=True)


def natural(names):
    return sp.symbols(names, integer=True, positive=True)


# attention_as_rnn


@step_of("attention_as_rnn")
def reads_of_layer_three():
    i, j = natural("i j")
    return (
        Derivation(Sum(j * (j + 1) / 2, (j, 1, i)), "reads of layer 3 at position $i$")
        .step(i * (i + 1) * (i + 2) / 6, "sum")
        .step(sp.binomial(i + 2, 3), "binomial coefficient")
    )


@step_of("attention_as_rnn")
def products_of_layer_two():
    i, j = natural("i j")
    return Derivation(i + Sum(j, (j, 1, i))).step(i * (i + 3) / 2, "sum")


@step_of("attention_as_rnn")
def merge_is_associative():
    a, b, c, x, y, z = real("a b c x y z")
    left = Max(a, b)
    whole = Max(a, b, c)
    merged = (x * exp(a - left) + y * exp(b - left)) * exp(left - whole) + z * exp(c - whole)
    right = Max(b, c)
    other = x * exp(a - whole) + (y * exp(b - right) + z * exp(c - right)) * exp(right - whole)
    return Derivation(merged, "first two, then the third").step(other, "first one, then the last two")


@step_of("attention_as_rnn")
def softmax_average_of_three():
    s = real("s1:4")
    v = real("v1:4")
    top = exp(s[2] - s[0]) * v[2] + exp(s[1] - s[0]) * v[1] + v[0]
    bottom = exp(s[2] - s[0]) + exp(s[1] - s[0]) + 1
    average = sum(exp(a) * b for a, b in zip(s, v)) / sum(exp(a) for a in s)
    return Derivation(top / bottom, "read from the newest token").step(average, "multiply both by $e^{s_1}$")


# attention_focus


@step_of("attention_focus")
def mean_of_exponential_logits():
    beta, e = real("beta epsilon")
    gamma = positive("gamma")
    return Derivation(exp(beta + gamma * e)).mean(
        exp(beta + gamma**2 / 2), "moment generating function", over=(Normal(e, 0, 1),)
    )


@step_of("attention_focus")
def sparsity_of_softmax():
    beta = real("beta")
    gamma = positive("gamma")
    first, second = exp(beta + gamma**2 / 2), exp(2 * beta + 2 * gamma**2)
    return Derivation(first / sqrt(second)).step(exp(-(gamma**2) / 2), "the shift cancels")


@step_of("attention_focus")
def half_moment_of_order_four():
    e = real("epsilon")
    return Derivation(Max(0, e) ** 4).mean(Rational(3, 2), "half of the fourth moment", over=(Normal(e, 0, 1),))


@step_of("attention_focus")
def half_moments_by_recursion():
    t = real("t")
    cdf = (1 + erf(t / sqrt(2))) / 2
    density = exp(-(t**2) / 2) / sqrt(2 * pi)
    first = t * cdf + density
    second = t * first + cdf
    return Derivation(sp.Derivative(second, t)).step(2 * first, "differentiate")


@step_of("attention_focus")
def taylor_features_of_degree_two():
    beta, e = real("beta epsilon")
    gamma = positive("gamma")
    x = beta + gamma * e
    return Derivation(1 + x + x**2 / 2).mean(
        1 + beta + (beta**2 + gamma**2) / 2, "second moment 1", over=(Normal(e, 0, 1),)
    )


@step_of("attention_focus")
def floor_of_degree_two():
    b = real("b")
    g = positive("g")
    mean = (1 + b**2 + g) / 2
    square = mean**2 + g * b**2 + g**2 / 2
    return (
        Derivation(3 * mean**2 - square)
        .step((b**4 + 2 * b**2 + 2 * g + 1) / 2, "expand")
        .bound(0, "every term is non-negative", relation=">=")
    )


@step_of("attention_focus")
def explicit_decay_of_three_tokens():
    x = positive("lambda")
    squared = (1 + x + x**2) ** 2 / (3 * (1 + x**2 + x**4))
    closed = (1 - x**3) * (1 + x) / (3 * (1 - x) * (1 + x**3))
    return Derivation(squared).step(closed, "two geometric series")


@step_of("attention_focus")
def linear_attention_keeps_every_token():
    t = positive("t")
    s = (sqrt(2 / pi) * exp(-(t**2) / 2) + t * erf(t / sqrt(2))) / sqrt(1 + t**2)
    return Derivation(s).limit(1, "a strong bias", var=t, to=oo)


@step_of("attention_focus")
def ratio_of_norms_is_at_most_one():
    p, q = positive("p q")
    return Derivation(p**2 + q**2).bound((p + q) ** 2, "the cross term is positive")


# consistency_models


@step_of("consistency_models")
def complementary_arctangents():
    s = positive("s")
    return Derivation(sp.atan(s) + sp.atan(1 / s)).step(pi / 2, "complementary angles")


@step_of("consistency_models")
def loss_of_one_step():
    s = positive("s")
    t = real("t")
    v = (1 - t) ** 2 * s**2 + t**2
    return Derivation(Integral(s**2 / v**2, (t, 0, 1))).step(1 + (1 + s**2) * pi / (4 * s), "integrate")


@step_of("consistency_models")
def determinant_of_two_times():
    s = positive("s")
    p, q = real("p q")

    def v(a, b):
        return (1 - a) * (1 - b) * s**2 + a * b

    return Derivation(v(p, p) * v(q, q) - v(p, q) ** 2).step(s**2 * (q - p) ** 2, "expand")


@step_of("consistency_models")
def training_equals_distillation_for_gauss():
    s = positive("s")
    t, h = real("t h")
    v = (1 - t) ** 2 * s**2 + t**2
    covariance = (1 - t) * (1 - t + h) * s**2 + t * (t - h)
    return Derivation(covariance / v).step(1 - h * sp.diff(v, t) / (2 * v), "one Euler step")


@step_of("consistency_models")
def antiderivative_of_the_average_velocity():
    t = positive("t")
    v = 2 * t**2 - 2 * t + 1
    return Derivation(sp.Derivative(log(sqrt(v) + 1 - t), t)).step((1 - 1 / sqrt(v)) / t, "differentiate")


# cur


@step_of("cur")
def error_of_the_intersection_middle():
    a, b, c, d, e, f, g, h, i = sp.symbols("a:i")
    block = sp.Matrix([[a, b], [d, e]])
    whole = sp.Matrix([[a, b, c], [d, e, f], [g, h, i]])
    error = i - (sp.Matrix([[g, h]]) * block.inv() * sp.Matrix([c, f]))[0]
    return Derivation(error).step(whole.det() / block.det(), "Schur complement")


@step_of("cur")
def hat_matrix_is_a_projection():
    a, b = real("a b")
    m = sp.Matrix([[1, 0, a], [0, 1, b]])
    hat = m.T * (m * m.T).inv() * m
    return Derivation(hat * hat, "twice").step(hat, "once")


@step_of("cur")
def selected_columns_are_exact():
    n, r = natural("n r")
    c, a = sp.MatrixSymbol("C", n, r), sp.MatrixSymbol("A", r, r)
    other = sp.MatrixSymbol("E", r, r)
    return Derivation(c * a.I * (a + other)).step(c + c * a.I * other, "the inverse cancels")


@step_of("cur")
def projection_by_the_pseudo_inverse():
    n, r = natural("n r")
    c = sp.MatrixSymbol("C", n, r)
    p = c * (c.T * c).I * c.T
    return Derivation(p * p).step(p, "the middle cancels")


@step_of("cur")
def schur_determinant():
    a, b, c, d, e, f, g, h = sp.symbols("a:h")
    block, right, below, corner = (
        sp.Matrix(2, 2, entries) for entries in ((a, b, c, d), (e, f, g, h), (b, a, e, c), (h, g, a, f))
    )
    whole = sp.Matrix(sp.BlockMatrix([[block, right], [below, corner]]).as_explicit())
    return Derivation(block.det() * (corner - below * block.inv() * right).det()).step(
        whole.det(method="berkowitz"), "block elimination"
    )


# ddpm_codebooks


@step_of("ddpm_codebooks")
def importance_weights_recover_the_posterior_mean():
    c, e = real("c epsilon")
    return Derivation(e * exp(e * c)).mean(c * exp(c**2 / 2), "complete the square", over=(Normal(e, 0, 1),))


@step_of("ddpm_codebooks")
def product_density_halves_the_mean():
    c, e = real("c epsilon")
    weight = exp(-(e**2) / 2) * exp(-((e - c) ** 2) / 2)
    return Derivation(Integral(e * weight, (e, -oo, oo)) / Integral(weight, (e, -oo, oo))).step(
        c / 2, "complete the square"
    )


@step_of("ddpm_codebooks")
def posterior_variance():
    alpha, beta, b = positive("alpha beta b")
    return Derivation(1 / (alpha**2 / beta**2 + 1 / b**2)).step(
        b**2 * beta**2 / (alpha**2 * b**2 + beta**2), "common denominator"
    )


@step_of("ddpm_codebooks")
def shared_codebook_drift_telescopes():
    a = positive("alpha1:5")
    products = [sp.prod(a[:k]) for k in range(5)]
    variance = sum(products[k] ** 2 * (1 - a[k] ** 2) for k in range(4))
    return Derivation(variance).step(1 - products[4] ** 2, "telescoping sum")


@step_of("ddpm_codebooks")
def distance_to_a_codeword():
    c1, c2, e1, e2 = real("c1 c2 e1 e2")
    return Derivation((c1 - e1) ** 2 + (c2 - e2) ** 2).mean(
        c1**2 + c2**2 + 2, "two components", over=(Normal(e1, 0, 1), Normal(e2, 0, 1))
    )


# decoder_only


@step_of("decoder_only")
def causal_softmax_has_full_rank():
    s = real("s1:6")
    a = sp.Matrix(
        [
            [1, 0, 0],
            [exp(s[0]) / (exp(s[0]) + exp(s[1])), exp(s[1]) / (exp(s[0]) + exp(s[1])), 0],
            [exp(x) / (exp(s[2]) + exp(s[3]) + exp(s[4])) for x in s[2:5]],
        ]
    )
    rows = (exp(s[0]) + exp(s[1])) * (exp(s[2]) + exp(s[3]) + exp(s[4]))
    return Derivation(a.det(method="berkowitz")).step(exp(s[1] + s[4]) / rows, "triangular matrix")


@step_of("decoder_only")
def vandermonde_kernel():
    x = sp.symbols("x1:5")
    matrix = sp.Matrix(4, 4, lambda i, j: x[i] ** j)
    product = sp.prod(x[j] - x[i] for i in range(4) for j in range(i + 1, 4))
    return Derivation(matrix.det(method="berkowitz")).step(product, "Vandermonde")


@step_of("decoder_only")
def two_tokens_of_the_exponential_kernel():
    a, b, c, d = real("a b c d")
    return Derivation((exp(a * c + b * d) - exp(a * d + b * c)) / exp(a * d + b * c)).step(
        exp((a - b) * (c - d)) - 1, "factor out one term"
    )


@step_of("decoder_only")
def cubic_collapse():
    m, r, w, e = real("m r w epsilon")
    p, q = m + e * r, m - e * r

    def output(x):
        return (exp(w * x * p) * p + exp(w * x * q) * q) / (exp(w * x * p) + exp(w * x * q))

    return Derivation(output(p) - output(q)).series(2 * w * r**3 * e**3, "Taylor", var=e, order=5)


# gradient_flow


@step_of("gradient_flow")
def proximal_step_of_a_quadratic():
    x, y = real("x y")
    alpha, lam = positive("alpha lambda")
    return Derivation(Eq((x - y) / alpha + lam * x, 0), "stationary point").step(
        Eq(x, y / (1 + alpha * lam)), "solve", solve_for=x
    )


@step_of("gradient_flow")
def positive_root_of_the_jko_step():
    s, old, alpha = positive("s s_t alpha")
    root = (old + sqrt(old**2 + 4 * alpha * (1 + alpha))) / (2 * (1 + alpha))
    return Derivation(Eq((s - old) / alpha + s - 1 / s, 0), "stationary point").step(
        Eq(s, root), "the positive root", solve_for=s
    )


@step_of("gradient_flow")
def jko_step_for_small_alpha():
    old = positive("s_t")
    alpha = positive("alpha")
    root = (old + sqrt(old**2 + 4 * alpha * (1 + alpha))) / (2 * (1 + alpha))
    return Derivation(root).series(old + alpha * (1 / old - old), "Taylor", var=alpha, order=2)


@step_of("gradient_flow")
def fisher_information_of_a_normal_law():
    d1, d2, e = real("d1 d2 epsilon")
    s = positive("sigma")
    new = s + e * d2
    kl = log(s / new) + (new**2 + (e * d1) ** 2) / (2 * s**2) - Rational(1, 2)
    return Derivation(kl).series(e**2 * (d1**2 / 2 + d2**2) / s**2, "Taylor", var=e, order=3)


@step_of("gradient_flow")
def variation_of_an_f_divergence():
    p, q = positive("p q")
    f = Function("f")
    r = sp.Symbol("r")
    slope = f(r).diff(r).subs(r, p / q)
    return Derivation(sp.Derivative(q * f(p / q), q)).step(f(p / q) - p / q * slope, "chain rule")


@step_of("gradient_flow")
def reverse_kl_of_two_normal_laws():
    m, z = real("m z")
    s = positive("s")
    return Derivation((m + s * z) ** 2 / 2 - z**2 / 2 - log(s)).mean(
        (s**2 + m**2) / 2 - log(s) - Rational(1, 2), "second moments", over=(Normal(z, 0, 1),)
    )


@step_of("gradient_flow")
def energy_identity():
    t, m0 = real("t m0")
    s0 = positive("s0")
    m, square = m0 * exp(-t), 1 + (s0**2 - 1) * exp(-2 * t)
    kl = (square + m**2) / 2 - log(square) / 2 - Rational(1, 2)
    fisher = m**2 + square - 2 + 1 / square
    return Derivation(sp.Derivative(kl, t)).step(-fisher, "differentiate")


# idempotent_generation


@step_of("idempotent_generation")
def closed_form_of_the_loss():
    w, v, li, lt, x, z = real("w v lambda_i lambda_t x z")
    s = positive("sigma")
    loss = (w * x - x) ** 2 + li * (v * w * z - w * z) ** 2 - lt * (v * w * z - v * z) ** 2
    return Derivation(loss).mean(
        (w - 1) ** 2 * s**2 + li * (v - 1) ** 2 * w**2 - lt * (w - 1) ** 2 * v**2,
        "second moments",
        over=(Moments(x, {1: 0, 2: s**2}), Normal(z, 0, 1)),
    )


@step_of("idempotent_generation")
def equilibrium_of_equal_weights():
    w = real("w")
    s, lam = positive("sigma lambda")
    return Derivation(Eq(s**2 + lam * w * (w - 1) - lam * w**2, 0)).step(
        Eq(w, s**2 / lam), "the squares cancel", solve_for=w
    )


@step_of("idempotent_generation")
def linear_idempotents_are_projections():
    a, b, c, d = positive("a b c d")
    p = sp.Matrix([[a * c, a * d], [b * c, b * d]]) / (a * c + b * d)
    return Derivation(p * p, "twice").step(p, "once")


# initialization


@step_of("initialization")
def truncated_normal_variance():
    a = positive("a")
    x = real("x")
    weight = exp(-(x**2) / 2)
    return Derivation(Integral(x**2 * weight, (x, -a, a)) / Integral(weight, (x, -a, a))).step(
        1 - sqrt(2 / pi) * a * exp(-(a**2) / 2) / erf(a / sqrt(2)), "by parts"
    )


@step_of("initialization")
def he_initialization():
    z = real("z")
    return Derivation(Max(0, z) ** 2).mean(Rational(1, 2), "half of the mass", over=(Normal(z, 0, 1),))


@step_of("initialization")
def uniform_of_given_variance():
    x = real("x")
    s = positive("sigma")
    return Derivation(x**2).mean(s**2, "second moment", over=(Uniform(x, -sqrt(3) * s, sqrt(3) * s),))


@step_of("initialization")
def second_moment_rule():
    x = real("x1:4")
    w = real("w1:4")
    v = positive("v")
    return Derivation(sum(a * b for a, b in zip(x, w)) ** 2).mean(
        v * sum(a**2 for a in x), "independent weights", over=tuple(Moments(b, {1: 0, 2: v}) for b in w)
    )


@step_of("initialization")
def fourth_moment_of_an_inner_product():
    q = real("q1:3")
    k = real("k1:3")
    return Derivation((q[0] * k[0] + q[1] * k[1]) ** 4).mean(
        24, "$3d^2+6d$ at $d=2$", over=tuple(Normal(s, 0, 1) for s in (*q, *k))
    )


@step_of("initialization")
def selu_has_mean_zero():
    z = real("z")
    alpha = positive("alpha")
    mean = 1 / sqrt(2 * pi) + alpha * (sqrt(sp.E) * sp.erfc(1 / sqrt(2)) - 1) / 2
    elu = sp.Piecewise((z, z > 0), (alpha * (exp(z) - 1), True))
    return Derivation(elu).mean(mean, "two half-lines", over=(Normal(z, 0, 1),))


@step_of("initialization")
def post_norm_keeps_unit_variance():
    l = sp.Symbol("l", integer=True, positive=True)
    i = sp.Symbol("i", integer=True)
    return Derivation(Sum(2 ** (i - l), (i, 0, l - 1)) + 2 ** (-l)).step(1, "geometric series")


# length_extrapolation


@step_of("length_extrapolation")
def scale_of_the_base():
    k, b, s, d = sp.symbols("k b s d", positive=True)
    exponent = -(d - 2) / d
    return Derivation(Eq(exponent * (b + k), -s + exponent * b), "logarithms, slowest pair").step(
        Eq(k, d / (d - 2) * s), "solve for $k=\\ln\\kappa$", solve_for=k, where=(Ne(d, 2),)
    )


@step_of("length_extrapolation")
def temperature_of_yarn():
    x = real("x")
    return Derivation((1 + x / 10) ** 2).series(1 + x / 5, "Taylor", var=x, order=2)


@step_of("length_extrapolation")
def leaky_rerope_tends_to_rerope():
    w, m, k = positive("w m k")
    return Derivation(w + (m - w) / k).limit(w, "no leak", var=k, to=oo)


@step_of("length_extrapolation")
def entropy_invariant_scaling():
    s, length = positive("s L")
    return Derivation(log(s * length) / log(length)).step(1 + log(s) / log(length), "logarithm of a product")


# lora_plus


@step_of("lora_plus")
def change_of_the_product():
    n, r, m = natural("n r m")
    a, da = sp.MatrixSymbol("A", n, r), sp.MatrixSymbol("D", n, r)
    b, db = sp.MatrixSymbol("B", r, m), sp.MatrixSymbol("E", r, m)
    return Derivation((a + da) * (b + db) - a * b).step(da * b + a * db + da * db, "expand")


@step_of("lora_plus")
def first_order_change_of_the_loss():
    n, r, m, k = natural("n r m k")
    g, x = sp.MatrixSymbol("G", k, m), sp.MatrixSymbol("X", k, n)
    da, b = sp.MatrixSymbol("D", n, r), sp.MatrixSymbol("B", r, m)
    return Derivation(sp.Trace(g.T * x * da * b)).step(sp.Trace((x.T * g * b.T).T * da), "cyclic")


@step_of("lora_plus")
def half_normal_mean():
    z = real("z")
    s = positive("sigma")
    return Derivation(sp.Abs(s * z)).mean(s * sqrt(2 / pi), "two half-lines", over=(Normal(z, 0, 1),))


@step_of("lora_plus")
def balanced_ratio():
    x, n, r, m = positive("x n r m")
    return Derivation(Eq(n * r / sqrt(r), x * m * r / sqrt(n))).step(
        Eq(x, n / m * sqrt(n / r)), "solve for the ratio", solve_for=x
    )


@step_of("lora_plus")
def stability_of_the_inner_product():
    x = real("x1:4")
    a = real("a1:4")
    v = positive("v")
    return Derivation(sum(p * q for p, q in zip(x, a)) ** 2).mean(
        v,
        "variances $v$ and $1/3$",
        over=(*(Moments(p, {1: 0, 2: v}) for p in x), *(Moments(q, {1: 0, 2: Rational(1, 3)}) for q in a)),
    )


# moe_geometry


@step_of("moe_geometry")
def third_half_moment():
    h = real("h")
    return Derivation(Max(0, h) ** 2 * sp.Abs(h)).mean(sqrt(2 / pi), "one half-line", over=(Normal(h, 0, 1),))


@step_of("moe_geometry")
def best_sampling_probabilities():
    a = positive("a1:4")
    total = sum(a)
    return Derivation(sum(x**2 / (x / total) for x in a)).step(sp.expand(total**2), "insert $p_i=a_i/\\sum a$")


@step_of("moe_geometry")
def random_directions_keep_the_longest():
    u, v = positive("u v")
    e, f = real("e f")
    return Derivation((u * e + v * f) ** 2).mean(u**2 + v**2, "centred directions", over=(Rademacher(e), Rademacher(f)))


@step_of("moe_geometry")
def share_of_the_longest():
    z = real("z")
    t = positive("t")
    density = exp(-(z**2) / 2) / sqrt(2 * pi)
    tail = sp.erfc(t / sqrt(2)) / 2
    return Derivation(Integral(z**2 * density, (z, t, oo))).step(t * density.subs(z, t) + tail, "by parts")


# multimodal_lossless


@step_of("multimodal_lossless")
def vocabulary_of_a_lossless_code():
    v = positive("V")
    return Derivation(Eq(256 * log(v) / log(2), 64 * 64 * 9)).step(Eq(v, sp.Integer(2) ** 144), "solve", solve_for=v)


@step_of("multimodal_lossless")
def rate_of_a_gaussian_source():
    r = real("R")
    s, d = positive("sigma D")
    return Derivation(Eq(d, s**2 * exp(-2 * r * log(2)))).step(
        Eq(r, log(s**2 / d) / (2 * log(2))), "solve", solve_for=r
    )


@step_of("multimodal_lossless")
def best_constant_has_probability_zero():
    c, x = real("c x")
    return (
        Derivation((c - x) ** 2)
        .mean(c**2 + 1, "two values", over=(Rademacher(x),))
        .bound(1, "a square is non-negative", relation=">=")
    )


# multimodal_rope


@step_of("multimodal_rope")
def rotations_are_relative():
    m, n, theta = real("m n theta")

    def rotation(p):
        return sp.Matrix([[cos(p * theta), -sin(p * theta)], [sin(p * theta), cos(p * theta)]])

    return Derivation(rotation(m).T * rotation(n)).step(rotation(n - m), "addition theorems")


@step_of("multimodal_rope")
def stretch_of_an_image():
    h, w, s, t = positive("h w s t")
    return Derivation(Eq((h + 1) * s, (w + 1) * t)).step(Eq(s, (w + 1) * t / (h + 1)), "divide by $h+1$", divide=h + 1)


@step_of("multimodal_rope")
def tokens_of_an_image():
    h, w, c = positive("h w c")
    return Derivation(Eq(c, (w + 1) * (h + 1)), "article").step(Eq(c - 1, w * h + w + h), "subtract one", add=-1)


# muon


@step_of("muon")
def variance_of_adams_mean():
    b = positive("beta")
    k = sp.symbols("k", integer=True, nonnegative=True)
    return Derivation((1 - b) ** 2 * Sum(b ** (2 * k), (k, 0, oo))).step(
        (1 - b) / (1 + b), "geometric series", where=(b < 1,)
    )


@step_of("muon")
def taylor_coefficients_of_newton_schulz():
    e = real("e")
    x = 1 + e
    return Derivation(1 / sqrt(1 + e)).series(
        Rational(15, 8) - Rational(5, 4) * x + Rational(3, 8) * x**2, "Taylor at 1", var=e, order=3
    )


@step_of("muon")
def norm_recursion():
    a = positive("a")
    x, y = real("x y")
    return Derivation((1 - a) * x + a * y).bound(Max(x, y), "a convex combination", relation="<=", where=(a <= 1,))


@step_of("muon")
def root_mean_square_of_the_sign():
    n, r = natural("n r")
    u, v = sp.MatrixSymbol("U", n, r), sp.MatrixSymbol("V", n, r)
    return Derivation(sp.Trace(v * u.T * u * v.T)).step(sp.Trace(u.T * u * v.T * v), "cyclic")


@step_of("muon")
def newton_schulz_acts_on_singular_values():
    a, b, c, s1, s2, p, q = sp.symbols("a b c s1 s2 p q", real=True)

    def rotation(t):
        return sp.Matrix([[1 - t**2, -2 * t], [2 * t, 1 - t**2]]) / (1 + t**2)

    x = rotation(p) * sp.diag(s1, s2) * rotation(q).T
    gram = (x * x.T).applyfunc(sp.factor)
    new = a * x + b * gram * x + c * gram * gram * x
    back = rotation(p).T * new * rotation(q)
    return Derivation(back[0, 0]).step(a * s1 + b * s1**3 + c * s1**5, "rational rotations")


# papers_redirect


@step_of("papers_redirect")
def conservation_law():
    r1, r2, r3, w = positive("rho1 rho2 rho3 W0")
    s1, s2, s3 = r1, r1 + r2, r1 + r2 + r3
    waits = (w / (1 - s1), w / ((1 - s1) * (1 - s2)), w / ((1 - s2) * (1 - s3)))
    return Derivation(sum(r * wait for r, wait in zip((r1, r2, r3), waits))).step(s3 * w / (1 - s3), "conservation law")


@step_of("papers_redirect")
def price_of_saturation():
    s1, s2, mu = positive("sigma1 sigma2 mu")
    full = 1 / mu / ((1 - s1) * (1 - s2))
    idle = s2 / mu / ((1 - s1) * (1 - s2))
    return Derivation(full - idle).step(1 / (mu * (1 - s1)), "common denominator")


@step_of("papers_redirect")
def wait_of_a_busy_server():
    r1, r2, mu, x = positive("rho1 rho2 mu rho3")
    residual = (r1 + r2 + x) / mu
    return Derivation(residual / ((1 - r1) * (1 - r1 - r2))).limit(
        1 / (mu * (1 - r1) * (1 - r1 - r2)), "the server is never idle", var=x, to=1 - r1 - r2, where=(r1 + r2 < 1,)
    )


# python_retry


@step_of("python_retry")
def expected_number_of_tries():
    p = positive("p")
    n, k = natural("n k")
    return Derivation(Sum((1 - p) ** (k - 1), (k, 1, n))).step((1 - (1 - p) ** n) / p, "geometric series")


@step_of("python_retry")
def expected_wait():
    q, f, b = positive("q f b")
    n, k = natural("n k")
    return Derivation(Sum(b * q**k * f ** (k - 1), (k, 1, n - 1))).step(
        b * q * (1 - (q * f) ** (n - 1)) / (1 - q * f), "geometric series", where=(Ne(q * f, 1),)
    )


@step_of("python_retry")
def critical_wait():
    b = positive("b")
    n, k = natural("n k")
    return Derivation(Sum(b * Rational(1, 2) ** k * 2 ** (k - 1), (k, 1, n - 1))).step(
        b * (n - 1) / 2, "every term is $b/2$"
    )


@step_of("python_retry")
def full_jitter_variance():
    v = positive("v")
    x = real("x")
    return Derivation((x - v / 2) ** 2).mean(v**2 / 12, "uniform law", over=(Uniform(x, 0, v),))


@step_of("python_retry")
def largest_of_many_uniforms():
    n = natural("N")
    x = real("x")
    return Derivation(Integral(n * x**n, (x, 0, 1))).step(n / (n + 1), "integrate")


@step_of("python_retry")
def herd_in_a_window():
    c, v = positive("c v")
    return Derivation((1 - 1 / v) ** (c * v)).limit(exp(-c), "a large window", var=v, to=oo)


# riemannian_geometry


@step_of("riemannian_geometry")
def curvature_of_the_sphere():
    t = real("theta")
    return Derivation(sin(2 * t) / (2 * sp.tan(t)) - cos(2 * t)).step(sin(t) ** 2, "double angles")


@step_of("riemannian_geometry")
def curvature_of_flat_space():
    t = real("theta")
    r = positive("r")
    return Derivation(r * (sin(2 * t) * sp.tan(t) + cos(2 * t) - 1) / (2 * sp.tan(t))).step(0, "double angles")


@step_of("riemannian_geometry")
def circumference_of_a_circle():
    rho = positive("rho")
    return Derivation(2 * pi * sin(rho)).series(2 * pi * rho - pi * rho**3 / 3, "Taylor", var=rho, order=5)


@step_of("riemannian_geometry")
def gauss_curvature_of_the_conformal_plane():
    x, y = real("x y")
    f = 4 / (1 + x**2 + y**2) ** 2
    laplacian = sp.Derivative(log(f), x, 2) + sp.Derivative(log(f), y, 2)
    return Derivation(-laplacian / (2 * f)).step(1, "the sphere in stereographic coordinates")


@step_of("riemannian_geometry")
def independent_components():
    n = natural("n")
    pairs = n * (n - 1) / 2
    return Derivation(pairs * (pairs + 1) / 2 - n * (n - 1) * (n - 2) * (n - 3) / 24).step(
        n**2 * (n**2 - 1) / 12, "expand"
    )


# rope_bias


@step_of("rope_bias")
def four_terms():
    d = natural("d")
    q, k, a, b = (sp.MatrixSymbol(name, d, 1) for name in "qkab")
    r = sp.MatrixSymbol("R", d, d)
    return Derivation((q + a).T * r * (k + b)).step(q.T * r * k + a.T * r * k + q.T * r * b + a.T * r * b, "expand")


@step_of("rope_bias")
def bias_pair_reaches_every_phase():
    a0, a1, b0, b1, phi = real("a0 a1 b0 b1 phi")
    row = sp.Matrix([[a0, a1]]) * sp.Matrix([[cos(phi), -sin(phi)], [sin(phi), cos(phi)]]) * sp.Matrix([b0, b1])
    return Derivation(row[0]).step((a0 * b0 + a1 * b1) * cos(phi) + (a1 * b0 - a0 * b1) * sin(phi), "collect")


@step_of("rope_bias")
def softmax_ignores_a_shift():
    x, y, c = real("x y c")
    return Derivation(exp(x + c) / (exp(x + c) + exp(y + c))).step(exp(x) / (exp(x) + exp(y)), "cancel $e^c$")


@step_of("rope_bias")
def isotropic_keys_average_out():
    a1, a2, k1, k2 = real("a1 a2 k1 k2")
    d = positive("d")
    laws = (Moments(k1, {1: 0, 2: 1 / d}), Moments(k2, {1: 0, 2: 1 / d}))
    return Derivation((a1 * k1 + a2 * k2) ** 2).mean((a1**2 + a2**2) / d, "isotropy", over=laws)


# s4


@step_of("s4")
def bilinear_rule_is_second_order():
    x = real("x")
    return Derivation((1 + x / 2) / (1 - x / 2) - exp(x)).series(x**3 / 12, "Taylor", var=x, order=4)


@step_of("s4")
def woodbury_of_rank_one():
    a, b, u, v, p, q = sp.symbols("a b u v p q")
    inverse = (sp.diag(a, b) - sp.Matrix([u, v]) * sp.Matrix([[p, q]])).inv()
    middle = 1 - (p * u / a + q * v / b)
    woodbury = sp.diag(1 / a, 1 / b) + sp.Matrix([u / a, v / b]) * sp.Matrix([[p / a, q / b]]) / middle
    return Derivation(inverse).step(woodbury, "Woodbury")


@step_of("s4")
def characteristic_polynomial():
    z = sp.symbols("z")
    v = [sqrt(2 * n + 1) for n in range(4)]
    skew = sp.Matrix(4, 4, lambda i, j: 0 if i == j else v[i] * v[j] * (-1 if j < i else 1) / 2)
    half = Rational(1, 2)
    closed = (sp.prod(z + n + half for n in range(4)) + sp.prod(z - n - half for n in range(4))) / 2
    return Derivation((z * sp.eye(4) - skew).det(method="berkowitz")).step(closed, "two products")


@step_of("s4")
def similarity_keeps_powers():
    n = natural("n")
    a, p = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("P", n, n)
    similar = p.I * a * p
    one = sp.Identity(n)
    return Derivation((similar + one) * (similar - one)).step(p.I * a * a * p - one, "the inner pair cancels")


@step_of("s4")
def state_kernel_solves_its_equation():
    t = real("t")
    y = exp(-t)
    kernel = sqrt(6) * y * (2 * y - 1)
    return Derivation(sp.Derivative(kernel, t)).step(-sqrt(6) * y - 2 * kernel, "differentiate")


# score_identity_distillation


@step_of("score_identity_distillation")
def teacher_error_at_student_samples():
    a, b, m, mu, z, e = real("alpha beta m mu z epsilon")
    s, tau = positive("s tau")
    v = a**2 * s**2 + b**2
    teacher = b * (a * (mu + tau * z) + b * e - a * m) / v
    mean = b**2 * (a**2 * (mu - m) ** 2 + a**2 * tau**2 + b**2) / v**2
    return Derivation(teacher**2).mean(mean, "two normal laws", over=(Normal(z, 0, 1), Normal(e, 0, 1)))


@step_of("score_identity_distillation")
def denoiser_identity():
    a, b, c, mu, z, e = real("alpha beta c mu z epsilon")
    tau = positive("tau")
    x = a * (mu + tau * z) + b * e
    return Derivation((x + c) * e).mean(b, "only the noise is correlated", over=(Normal(z, 0, 1), Normal(e, 0, 1)))


@step_of("score_identity_distillation")
def gradient_of_the_mean():
    a, b, m, mu = real("alpha beta m mu")
    v = positive("V")
    return Derivation(sp.Derivative(b**2 * a**2 * (mu - m) ** 2 / v**2, mu)).step(
        2 * a**2 * b**2 * (mu - m) / v**2, "differentiate"
    )


# sgd_convergence


@step_of("sgd_convergence")
def bound_of_the_constant_rate():
    r, g, t, eta = positive("R G T eta")
    return Derivation(r**2 / (2 * t * eta) + g**2 * eta / 2).bound(
        r * g / sqrt(t), "complete the square", relation=">="
    )


@step_of("sgd_convergence")
def best_constant_rate():
    r, g, t, eta = positive("R G T eta")
    return Derivation(Eq(-(r**2) / (2 * t * eta**2) + g**2 / 2, 0)).step(
        Eq(eta, r / (g * sqrt(t))), "the positive root", solve_for=eta
    )


@step_of("sgd_convergence")
def anytime_rate():
    t = positive("t")
    return Derivation(2 / (sqrt(t) + sqrt(t + 1))).step(2 * (sqrt(t + 1) - sqrt(t)), "conjugate")


@step_of("sgd_convergence")
def tightness():
    m = natural("m")
    k = sp.symbols("k", integer=True)
    return Derivation(Sum(1 - 1 / (2 * m) - k / m, (k, 0, m - 1)) + (m**2 - m) / (2 * m)).step(
        m - Rational(1, 2), "sum"
    )


@step_of("sgd_convergence")
def core_identity():
    x, y, g = real("x y g")
    eta = positive("eta")
    return Derivation(((x - y) ** 2 - (x - eta * g - y) ** 2) / (2 * eta) + eta * g**2 / 2).step((x - y) * g, "expand")


@step_of("sgd_convergence")
def convex_losses_lie_above_their_tangents():
    x = real("x")
    return Derivation(exp(x)).bound(1 + x, "tangent at 0", relation=">=")


# skip_tuning


@step_of("skip_tuning")
def curvature_of_the_path():
    t = real("t")
    lam = positive("lambda")
    return Derivation(sp.Derivative(sqrt(t**2 + lam), t, 2)).step(lam / (t**2 + lam) ** Rational(3, 2), "differentiate")


@step_of("skip_tuning")
def euler_lands_too_low():
    t, lam, h = positive("t lambda h")
    f = sqrt(t**2 + lam)
    return Derivation(sqrt((t - h) ** 2 + lam) - (f - h * t / f)).series(
        h**2 * lam / (2 * f**3), "Taylor", var=h, order=3
    )


@step_of("skip_tuning")
def wiener_step():
    t, lam, h, rho = positive("t lambda h rho")
    w = lam / (lam + t**2)
    return (
        Derivation(sp.Derivative(1 - h * (1 - rho * w) / t, rho))
        .step(h * w / t, "differentiate")
        .bound(0, "all factors are positive", relation=">=")
    )


# smooth_top_k


@step_of("smooth_top_k")
def probabilities_sum_to_k():
    w = positive("w1:4")
    pairs = w[0] * w[1] + w[0] * w[2] + w[1] * w[2]
    shares = [w[i] * sum(w[j] for j in range(3) if j != i) / pairs for i in range(3)]
    return Derivation(sum(shares)).step(2, "every pair is counted twice")


@step_of("smooth_top_k")
def positive_root_of_the_laplace_threshold():
    u, a, b, h = positive("u A B h")
    return Derivation(Eq(a * u**2 / 2 + h * u - b / 2, 0)).step(
        Eq(u, b / (h + sqrt(h**2 + a * b))), "the positive root", solve_for=u
    )


@step_of("smooth_top_k")
def iteration_b_has_the_wrong_limit():
    y = positive("y")
    p = [y**k / (1 + y + y**2) for k in (2, 1, 0)]
    weights = [(1 - q) * y**k for q, k in zip(p, (2, 1, 0))]
    second = [q + w / sum(weights) for q, w in zip(p, weights)]
    return Derivation(sp.Matrix(second)).limit(
        sp.Matrix([Rational(3, 2), Rational(1, 2), 0]), "zero temperature", var=y, to=oo
    )


@step_of("smooth_top_k")
def monotone_by_factoring():
    w = positive("w1:5")
    z1, z2 = w[0] * (w[1] + w[2] + w[3]), w[1] * (w[0] + w[2] + w[3])
    return Derivation(z1 - z2).step((w[0] - w[1]) * (w[2] + w[3]), "factor")


# snr_high_resolution


@step_of("snr_high_resolution")
def time_warp_of_the_cosine_schedule():
    s, x = positive("s x")
    rho = cos(x) ** 2 / sin(x) ** 2
    return Derivation(rho / (rho + s**2)).step(cos(sp.atan(s * sp.tan(x))) ** 2, "time warp")


@step_of("snr_high_resolution")
def shift_of_the_flow_path():
    s, t = positive("s t")
    new = s * t / (1 + (s - 1) * t)
    return Derivation((1 - new) ** 2 / new**2).step((1 - t) ** 2 / (s**2 * t**2), "simplify")


@step_of("snr_high_resolution")
def shifts_compose():
    s, r, t = positive("s r t")
    once = s * t / (1 + (s - 1) * t)
    return Derivation(r * once / (1 + (r - 1) * once)).step(r * s * t / (1 + (r * s - 1) * t), "simplify")


@step_of("snr_high_resolution")
def pooling_divides_the_variance():
    e = real("e1:5")
    return Derivation((sum(e) / 4) ** 2).mean(
        Rational(1, 4), "average of four", over=tuple(Moments(x, {1: 0, 2: 1}) for x in e)
    )


@step_of("snr_high_resolution")
def share_of_the_top_level():
    k = sp.symbols("k", integer=True, nonnegative=True)
    return Derivation(1 / Sum(Rational(1, 4) ** k, (k, 0, oo))).step(Rational(3, 4), "geometric series")


@step_of("snr_high_resolution")
def weight_of_frequencies():
    w = real("omega")
    return Derivation(Integral(cos(w / 2) ** 2, (w, -pi, pi)) / (2 * pi)).step(Rational(1, 2), "integrate")


# spectral_weight_decay


@step_of("spectral_weight_decay")
def gradient_of_the_largest_singular_value():
    s1, s2, t, p = real("s1 s2 theta phi")

    def rotation(x):
        return sp.Matrix([[cos(x), -sin(x)], [sin(x), cos(x)]])

    w = rotation(t) * sp.diag(s1, s2) * rotation(p).T
    u, v = rotation(t)[:, 0], rotation(p)[:, 0]
    return Derivation((u.T * w.diff(s1) * v)[0]).step(1, "orthonormal columns")


@step_of("spectral_weight_decay")
def power_iteration_converges():
    q, t = positive("q t")
    return Derivation((1 / (1 + q)) ** (2 * t)).limit(0, "a gap", var=t, to=oo)


@step_of("spectral_weight_decay")
def digits_double():
    c, r, d = positive("c r delta")
    ratio = sqrt(1 + c**2 * r**2 * d**2) / sqrt(1 + c**2 * d**2)
    return Derivation(1 - ratio).series(c**2 / 2 * (1 - r**2) * d**2, "Taylor", var=d, order=4)


@step_of("spectral_weight_decay")
def water_levels_meet():
    a, b, c = positive("sigma1:4")
    level = (log(a) + log(b) - (log(a / c) + log(b / c))) / 2
    return Derivation(level).step(log(c), "logarithms cancel")


@step_of("spectral_weight_decay")
def clipping_is_a_minimum():
    s, t = real("s t")
    return Derivation((s + t - sp.Abs(s - t)) / 2).step(Min(s, t), "two cases")


@step_of("spectral_weight_decay")
def stable_rank_grows():
    lam, f, s, k = positive("lambda F s k")
    return Derivation((-2 * lam * s * s + 2 * lam * f * s / k) / s**2).step(
        2 * lam * (f / (k * s) - 1), "quotient rule"
    )
