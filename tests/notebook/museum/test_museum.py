"""Every false step is refused, its true sibling is accepted, and every true step is proved within ten seconds."""

import time

import pytest

from kexue_core.notebook import proof

from .false_steps import FALSE
from .true_steps import TRUE

SLUGS = {
    "attention_as_rnn", "attention_focus", "consistency_models", "cur", "ddpm_codebooks", "decoder_only",
    "gradient_flow", "idempotent_generation", "initialization", "length_extrapolation", "lora_plus", "moe_geometry",
    "multimodal_lossless", "multimodal_rope", "muon", "papers_redirect", "python_retry", "riemannian_geometry",
    "rope_bias", "s4", "score_identity_distillation", "sgd_convergence", "skip_tuning", "smooth_top_k",
    "snr_high_resolution", "spectral_weight_decay",
}  # fmt: skip
LIES = [(kind, lie) for kind, lies in FALSE.items() for lie in lies]


def named(pairs):
    return [pytest.param(lie, id=f"{kind}: {lie.name}") for kind, lie in pairs]


@pytest.mark.parametrize("lie", named(pair for pair in LIES if pair[0] != "time"))
def test_a_false_step_is_refused(lie):
    before = time.process_time()
    with pytest.raises(lie.refusal):
        lie.attempt(lie.wrong)
    assert time.process_time() - before < 25


@pytest.mark.parametrize("lie", FALSE["time"], ids=lambda lie: lie.name)
def test_a_step_that_takes_too_long_is_given_up(lie, monkeypatch):
    assert proof.SECONDS == 20
    monkeypatch.setattr(proof, "SECONDS", 3)  # neither ends in 20
    before = time.process_time()
    with pytest.raises(lie.refusal, match="gave up after 3 s"):
        lie.attempt(lie.wrong)
    assert time.process_time() - before < 8


@pytest.mark.parametrize("lie", named(pair for pair in LIES if pair[1].right is not None))
def test_its_true_sibling_is_accepted(lie):
    lie.attempt(lie.right)


@pytest.mark.parametrize("prove", [pytest.param(prove, id=f"{slug}: {prove.__name__}") for slug, prove in TRUE])
def test_a_true_step_is_proved_in_time(prove):
    before = time.process_time()
    prove()
    assert time.process_time() - before < 10


def test_the_museum_is_large_and_covers_every_chapter():
    assert len(LIES) >= 150
    assert min(len(lies) for kind, lies in FALSE.items() if kind != "time") >= 5
    assert sum(lie.right is not None for _, lie in LIES) >= len(LIES) / 2
    assert len(TRUE) >= 60
    assert {slug for slug, _ in TRUE} == SLUGS
    assert len({(kind, lie.name) for kind, lie in LIES}) == len(LIES)
