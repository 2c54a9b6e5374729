"""The numerics of the Kexue Book: one module for each subject, numpy only.

Nothing is re-exported here. Import the subject that you need, for example ``from kexue_core.rope import min_base``.
"""
