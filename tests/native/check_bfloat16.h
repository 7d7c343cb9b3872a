// The check of products of bfloat16, a part of elman_check.
#pragma once

bool bfloat16_agrees(const char* isa, bool quick);
