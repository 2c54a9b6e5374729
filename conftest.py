"""What a chapter states must hold in every run under pytest, that of nbval included, which loads no other conftest."""

import os

os.environ["KEXUE_STRICT"] = "1"
