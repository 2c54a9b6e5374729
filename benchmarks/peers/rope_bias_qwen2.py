"""What an attention layer of Qwen2 attends to when it reads nothing, for the chapter `rope_bias`.

    pip install transformers torch
    python benchmarks/peers/rope_bias_qwen2.py

All inputs are zero, so the queries and keys are the biases of the projections, and what is left of the logits is the
bias kernel. One head of size 8; transformers pairs component i with i + 4. Printed by transformers 5.24.0 and torch
2.13.0 (CPU), single precision, the attention of the last of eight tokens, from the nearest key to the farthest:

    [0.1815, 0.1838, 0.1272, 0.0809, 0.0686, 0.0867, 0.1265, 0.1449]
"""

import torch
from transformers import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention, Qwen2RotaryEmbedding

A = [1.0, 0.5, -0.5, 1.0, 0.5, 1.0, 1.0, -1.0]
B = [0.5, 1.0, 1.0, 0.5, 1.0, -0.5, 0.5, 1.0]


def main():
    """Print the attention of the last token."""
    config = Qwen2Config(
        hidden_size=8,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    )
    config._attn_implementation = "eager"
    layer = Qwen2Attention(config, layer_idx=0).eval()
    with torch.no_grad():
        layer.q_proj.bias.copy_(torch.tensor(A))
        layer.k_proj.bias.copy_(torch.tensor(B))
        x = torch.zeros(1, 8, 8)
        turns = Qwen2RotaryEmbedding(config)(x, torch.arange(8)[None])
        mask = torch.full((8, 8), float("-inf")).triu(1)[None, None]
        _, attention = layer(x, position_embeddings=turns, attention_mask=mask)
    print([round(value, 4) for value in attention[0, 0, -1].flip(0).tolist()])


if __name__ == "__main__":
    main()
