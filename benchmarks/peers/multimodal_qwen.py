"""The positions that Qwen2-VL gives to words and images, for the chapter `multimodal_rope`.

    pip install transformers torch
    python benchmarks/peers/multimodal_qwen.py

Four words, an image of 2 rows with 5 patches, two words, an image of 4 rows with 3 patches, one word: 29 tokens. (The
side of a patch counts after the merging of 2 x 2 patches, which the grid that is handed over does not contain yet.)
Printed by transformers 5.24.0 and torch 2.13.0 (CPU), for the three coordinates of M-RoPE:

    time   0 1 2 3 4 4 4 4 4 4 4 4 4 4 9 10 11 11 11 11 11 11 11 11 11 11 11 11 15
    height 0 1 2 3 4 4 4 4 4 5 5 5 5 5 9 10 11 11 11 12 12 12 13 13 13 14 14 14 15
    width  0 1 2 3 4 5 6 7 8 4 5 6 7 8 9 10 11 12 13 11 12 13 11 12 13 11 12 13 15
"""

from types import SimpleNamespace

import torch
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLModel

SEGMENTS = [4, (5, 2), 2, (3, 4), 1]


def main():
    """Print the positions of all tokens."""
    kinds = [kind for s in SEGMENTS for kind in ([1] * (s[0] * s[1]) if isinstance(s, tuple) else [0] * s)]
    grids = [[1, 2 * s[1], 2 * s[0]] for s in SEGMENTS if isinstance(s, tuple)]
    model = Qwen2VLModel.__new__(Qwen2VLModel)  # the rule needs no weights
    torch.nn.Module.__init__(model)
    model.config = SimpleNamespace(vision_config=SimpleNamespace(spatial_merge_size=2))
    tokens, kinds = torch.zeros(1, len(kinds), dtype=torch.long), torch.tensor([kinds])
    positions, _ = model.get_rope_index(tokens, kinds, image_grid_thw=torch.tensor(grids))
    for name, row in zip(("time", "height", "width"), positions[:, 0].tolist(), strict=True):
        print(f"{name:<6}", *row)


if __name__ == "__main__":
    main()
