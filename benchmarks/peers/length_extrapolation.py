"""The frequency plans of Hugging Face transformers, for the chapter `length_extrapolation`.

    pip install torch transformers
    python benchmarks/peers/length_extrapolation.py

Each line is a call ``ROPE_INIT_FUNCTIONS[rope_type](config, seq_len=...)`` of ``transformers.modeling_rope_utils``:
the frequencies of four pairs, the sum over all pairs, and the factor of cosine and sine.

Printed by transformers 5.24.0 and torch 2.13.0 (CPU), single precision:

    PI 8                pairs [24, 32, 48, 63]: 3.9528e-03 1.2500e-03 1.2500e-04 1.4435e-05  sum 0.93249  factor 1.0000
    dynamic NTK, f = 1  pairs [24, 32, 48, 63]: 1.4321e-02 3.4777e-03 2.0508e-04 1.4435e-05  sum 6.16698  factor 1.0000
    dynamic NTK, f = 2  pairs [24, 32, 48, 63]: 1.1271e-02 2.5271e-03 1.2704e-04 7.6985e-06  sum 5.86608  factor 1.0000
    YaRN 8, L = 4096    pairs [24, 32, 48, 63]: 2.7366e-02 5.9615e-03 1.2500e-04 1.4435e-05  sum 7.37155  factor 1.2079
    Qwen2.5             pairs [24, 32, 48, 63]: 5.3753e-03 6.0294e-04 7.9057e-06 3.1023e-07  sum 5.14403  factor 1.1386
    DeepSeek-V3         pairs [8, 16, 24, 31]: 1.0000e-01 5.5000e-03 2.5000e-05 3.3338e-06  sum 3.94894  factor 1.0000
    gpt-oss             pairs [8, 16, 24, 31]: 5.0813e-02 4.5648e-04 4.1000e-06 3.0235e-07  sum 3.18044  factor 1.3466
    LLaMA 3.1           pairs [24, 32, 48, 63]: 7.2927e-03 5.2485e-04 6.6479e-06 3.0689e-07  sum 5.38606  factor 1.0000
    DeepSeek-V3 multiplies its logits by 1.8739

The configurations are those of config.json; that of Qwen2.5 is in its model card. DeepSeek-V3's says ``mscale`` and
``mscale_all_dim``: cosine and sine keep their size, and the attention takes the square of YaRN's factor to the logits.
"""

import torch
from transformers import LlamaConfig, __version__
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.deepseek_v3.modeling_deepseek_v3 import yarn_apply_mscale

# what, type, size of the head, base, longest position, tokens now, further parameters
CALLS = [
    ("PI 8", "linear", 128, 1e4, 4096, None, {"factor": 8.0}),
    ("dynamic NTK, f = 1", "dynamic", 128, 1e4, 4096, 32768, {"factor": 1.0}),
    ("dynamic NTK, f = 2", "dynamic", 128, 1e4, 4096, 32768, {"factor": 2.0}),
    ("YaRN 8, L = 4096", "yarn", 128, 1e4, 32768, None, {"factor": 8.0, "original_max_position_embeddings": 4096}),
    ("Qwen2.5", "yarn", 128, 1e6, 131072, None, {"factor": 4.0, "original_max_position_embeddings": 32768}),
    (
        "DeepSeek-V3",
        "yarn",
        64,
        1e4,
        163840,
        None,
        {"factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 1.0, "mscale_all_dim": 1.0},
    ),
    (
        "gpt-oss",
        "yarn",
        64,
        1.5e5,
        131072,
        None,
        {"factor": 32.0, "original_max_position_embeddings": 4096, "truncate": False},
    ),
    (
        "LLaMA 3.1",
        "llama3",
        128,
        5e5,
        131072,
        None,
        {
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    ),
]


def main():
    """Print the plans."""
    print(f"transformers {__version__}, torch {torch.__version__}")
    for name, kind, d, base, longest, tokens, more in CALLS:
        config = LlamaConfig(
            hidden_size=d,
            num_attention_heads=1,
            max_position_embeddings=longest,
            rope_parameters={"rope_type": kind, "rope_theta": base, **more},
        )
        theta, factor = ROPE_INIT_FUNCTIONS[kind](config, seq_len=tokens)
        pairs = [d // 4 - 8, d // 4, 3 * d // 8, d // 2 - 1]
        values = " ".join(f"{theta[i]:.4e}" for i in pairs)
        print(f"{name:<19} pairs {pairs}: {values}  sum {theta.double().sum():.5f}  factor {factor:.4f}")
        if "mscale_all_dim" in more:
            logits = yarn_apply_mscale({"rope_type": kind, **more}, 1.0)
    print(f"DeepSeek-V3 multiplies its logits by {logits:.4f}")


if __name__ == "__main__":
    main()
