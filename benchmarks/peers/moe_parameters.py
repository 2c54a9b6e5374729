"""The parameters of two published mixtures of experts, counted by Hugging Face transformers without weights.

    pip install torch transformers
    python benchmarks/peers/moe_parameters.py

Printed by torch 2.13.0 and transformers 5.24.0:

    Mixtral 8x7B       46702792704, and a bias of 0
    DeepSeek-V3       671026404352, and a bias of 14848
"""

import torch
from transformers import AutoModelForCausalLM, DeepseekV3Config, MixtralConfig

MIXTRAL = MixtralConfig(
    hidden_size=4096,
    num_hidden_layers=32,
    intermediate_size=14336,
    num_local_experts=8,
    num_experts_per_tok=2,
    num_attention_heads=32,
    num_key_value_heads=8,
    vocab_size=32000,
    tie_word_embeddings=False,
)
DEEPSEEK = DeepseekV3Config(
    hidden_size=7168,
    num_hidden_layers=61,
    first_k_dense_replace=3,
    intermediate_size=18432,
    moe_intermediate_size=2048,
    n_routed_experts=256,
    n_shared_experts=1,
    num_experts_per_tok=8,
    q_lora_rank=1536,
    kv_lora_rank=512,
    num_attention_heads=128,
    num_key_value_heads=128,
    qk_nope_head_dim=128,
    qk_rope_head_dim=64,
    v_head_dim=128,
    vocab_size=129280,
    tie_word_embeddings=False,
)


def main():
    """Print the number of parameters, and of buffers that are trained in another way."""
    for name, config in (("Mixtral 8x7B", MIXTRAL), ("DeepSeek-V3", DEEPSEEK)):
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        bias = sum(b.numel() for n, b in model.named_buffers() if "bias" in n)
        print(f"    {name:14}{model.num_parameters():>16}, and a bias of {bias}")


if __name__ == "__main__":
    main()
