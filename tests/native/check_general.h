// The check of the general recurrence, a part of elman_check.
#pragma once

bool general_agrees(const char* isa, bool quick);
