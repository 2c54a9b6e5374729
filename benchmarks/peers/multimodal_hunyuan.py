"""The positions that HunyuanImage-3.0 gives to words and an image, for the chapter `multimodal_rope`.

    pip install torch
    python benchmarks/peers/multimodal_hunyuan.py modeling_hunyuan_image_3.py

The file is hunyuan_image_3/modeling_hunyuan_image_3.py of github.com/Tencent-Hunyuan/HunyuanImage-3.0 at commit
5848fb47d8cd; only its functions for positions are run. Ten words, an image, one word; what stands before the image, its
first and last patch and what follows it. Printed with torch 2.13.0 (CPU), as (row, column):

    4 x 3: (9, 9) (14, 14) (16, 17) (22, 22)
    6 x 4: (9, 9) (20, 19) (23, 24) (34, 34)
"""

import ast
import sys
import typing
from pathlib import Path

import torch

NEEDED = {"_to_tuple", "get_meshgrid_nd", "build_2d_rope"}


def main():
    """Print the ends of two images."""
    tree = ast.parse(Path(sys.argv[1]).read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in NEEDED]
    space = {"torch": torch, **vars(typing)}
    exec(compile(tree, sys.argv[1], "exec"), space)
    for w, h in ((4, 3), (6, 4)):
        image = slice(10, 10 + w * h)
        *_, positions = space["build_2d_rope"](11 + w * h, 8, image_infos=[(image, (h, w))], return_all_pos=True)
        rows = [tuple(row) for row in positions[:, 0].tolist()]
        print(f"{w} x {h}:", rows[9], rows[10], rows[-2], rows[-1])


if __name__ == "__main__":
    main()
