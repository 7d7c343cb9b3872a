"""The CPU backend: the recurrence in fused C++, behind a plain C interface."""
